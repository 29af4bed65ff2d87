"""The database's history: `versions/NNNN_name.py` with its SQL beside it, one line, the last one named by HEAD.

Migrations import none of our other code, so that an old one means the same for ever.
"""
