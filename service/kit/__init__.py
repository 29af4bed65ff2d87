"""Technique without domain: database, refusals, access, language, pages. Every slice may use it; it knows no slice."""
