"""What an auditor does besides reading: draws samples that nobody chose, notes what was found, and looks at who approved what.

A sample's seed comes from the system, is shown and kept, and whoever has the book can draw the same sample again. Findings
are only ever added to. The approvals are read from the log of deeds and set against households and other hands.
"""
