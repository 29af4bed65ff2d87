"""Scanning without a network: what a phone may decide, and what the server makes of it afterwards."""
