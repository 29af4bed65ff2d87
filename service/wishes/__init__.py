"""The wish wall (心愿墙): a neighbour asks for a little help, another neighbour gives it.

A resident, or staff for somebody without a phone, posts a wish; staff look at it and put it on the wall or return it
with a reason. One volunteer at a time takes a wish on, helps, and says when and for how long; the asker confirms, and
in that same transaction the helper's minutes and points arrive. Nothing is ever taken from the asker. An urgent wish is
on the wall at once and is looked at afterwards. Every step is a line in the wish's history that nobody can change.

On the wall a wish shows a masked name and a building; phone and door are opened for the volunteer who took it on only.
"""
