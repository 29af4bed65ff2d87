"""HTML routes: `volunteer` and `door` for those who serve, `lead` for leaders, `plan` and `review` for the desk."""
