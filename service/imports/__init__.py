"""Importing people from a sheet: how a community's card file becomes its members, and how that is taken back.

A clerk uploads a sheet (.xlsx, .xls or .csv). It is read, every row is compared with who is there, and the result is
kept sealed; nothing else is written. The clerk sees what would be new, changed, in conflict or wrong, row by row, and
then applies all good rows in one transaction. The card number is the key, so the same sheet applied twice changes
nothing. A sheet that was exported here carries each person's revision; whoever was changed since is a conflict and is
left alone. An import can be taken back for thirty days; whoever has been active since stays.

A form for one person is a sheet of one row that is checked and applied at once: one way to read, to judge and to write.
"""
