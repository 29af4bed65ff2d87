"""Reads: the board, and exchanges of one person or of everybody."""
