"""HTML routes: `wall`, `asking` and `helping` for residents, `desk`, `desk_wish` and `desk_new` for staff, `cards` for home."""
