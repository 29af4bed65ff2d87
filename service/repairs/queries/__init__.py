"""Reads of repair orders."""
