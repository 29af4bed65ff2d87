"""Reads: `catalogue` for residents, `counter` for shops, `office` for staff and finance."""
