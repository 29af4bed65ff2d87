"""The same actions and queries as JSON: `volunteers` for those who serve and lead, `desk` for those who plan and review."""
