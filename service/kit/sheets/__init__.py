"""Sheets that strangers upload: read in a cage, measured before they are unpacked, and what a single cell says."""
