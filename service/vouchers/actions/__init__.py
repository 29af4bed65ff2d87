"""Writes: `scan` at the counter, `taking` by residents and staff, `offering`, `settling`, and what falls due with time."""
