"""What may be done about the fund."""
