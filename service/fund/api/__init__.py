"""The fund, as JSON."""
