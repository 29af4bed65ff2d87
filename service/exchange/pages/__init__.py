"""HTML of the neighbour exchange."""
