"""Activities, their shifts, who serves in them, and the hours that come of it.

An activity (粮油搬运, 平安巡逻) has shifts with places. Volunteers sign up, wait when a shift is full and move up when
somebody cancels. On the day they check in and out by the code on the leader's phone, which changes every half minute;
a printed poster only claims an arrival, and the leader's list serves those without a phone. What was present, clipped
to the plan, becomes minutes by the community's dated rules; a second person reviews them, and approval writes the
service record and posts what it earned in the same transaction.
"""
