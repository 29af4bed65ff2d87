"""Reads of clearing, and the rows that actions lock."""
