"""The bank's own list, compared with what the files asked for.

Finance uploads what the bank says it paid and sent back. Nothing is booked by that: each line is shown with what it seems to be
about, by the mark that the file gave it or else by amount and account. One confirmation books what is certain, each line of the
bank once for ever: a line is known again by its content and its place among equal ones, in whatever list it comes. What is not
certain stays until somebody of finance has decided it by hand, or set it aside with a reason.
"""
