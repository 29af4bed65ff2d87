"""Cases that two languages are held to, and the scripts that write them."""
