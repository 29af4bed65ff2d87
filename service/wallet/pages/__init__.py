"""HTML routes: `home` and `passbook` for residents, `books` for auditors and finance."""
