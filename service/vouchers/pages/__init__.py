"""HTML routes: `resident`, `shop`, the code's own address, and the desk's offers, help and settlements."""
