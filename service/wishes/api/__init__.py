"""The wishes as JSON: `resident` for everybody, `desk` for staff. Both call what the pages call."""
