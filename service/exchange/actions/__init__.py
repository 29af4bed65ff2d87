"""What people do: `listing` the board, `answering` it, `door` through which value moves, `deciding` what is disputed, `timed`."""
