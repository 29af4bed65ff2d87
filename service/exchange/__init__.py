"""The neighbour exchange (邻里交换): neighbours help each other and pay with minutes they earned by helping before.

Somebody offers ("I mend trousers, 30 minutes") or asks ("who walks my dog, 60 minutes"). A neighbour answers, the owner
of the listing accepts, and from then on the payer's minutes lie aside. The helper says that it is done, the payer
confirms, and the minutes are the helper's; without a word in a dated number of days they are so by themselves. Until the
work is done both may step back, and everything returns. Either side may call the staff, who decide with a reason.

No minute is made here: what one gains another gives. Whoever lives behind one door cannot be paid by it, and two people
exchange only so much in a month. Value moves through the door for many at once (decision 0009): two pairs of functions of
the database (`sql/`) lock and judge the rows before the head of the book and write under it.
"""
