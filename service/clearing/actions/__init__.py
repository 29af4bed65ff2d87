"""What people and the worker do; each function is one transaction in one community."""
