"""Reads: `passbook` is what one person has, `books` is what the auditor sees."""
