"""HTML of clearing: what members see, where staff help, and the desk of finance."""
