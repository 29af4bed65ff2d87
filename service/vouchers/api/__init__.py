"""Offers and vouchers, the counter, and settlements as JSON."""
