"""What looked odd about uses, and who let it through: the queue before settlement, random call-backs, shops' opening hours.

A timed job and the closing itself look at each shop's running batch by the rules of redemption's watch. What a rule points at
stays out of the batch; somebody of finance looks, lets it through with a reason, or sends it into the next statement as a line in
dispute, which a second person decides there. Of each day's uses one in a hundred is drawn by a recorded seed and its member is
called; a member who says it was not them raises an alarm.
"""
