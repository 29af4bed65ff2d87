"""What the slice puts on other pages: cards on the resident's home, rows in the staff's one list."""

from collections.abc import Mapping, Sequence
from datetime import datetime

from sqlmodel.ext.asyncio.session import AsyncSession

from service.kit.access import Actor, Role
from service.kit.manifest import InboxRow, Unfinished
from service.wishes import queries
from service.wishes.faces import Face, faces
from service.wishes.rules import WishState


async def my_wishes(session: AsyncSession, actor: Actor, now: datetime) -> Mapping[str, object] | None:
    """我的心愿: the newest open ones with their steps."""
    found = await queries.current(session, actor.community_id, actor.member_id, helping=False, size=2)
    if not found:
        return None
    return {"template": "wishes/card_mine.html", "order": 20, "shown": await faces(session, actor, found, now)}


async def my_claims(session: AsyncSession, actor: Actor, now: datetime) -> Mapping[str, object] | None:
    """我接的心愿: what I promised, and until when."""
    if not actor.has(Role.VOLUNTEER):
        return None
    found = await queries.current(session, actor.community_id, actor.member_id, helping=True)
    if not found:
        return None
    return {"template": "wishes/card_claimed.html", "order": 15, "shown": await faces(session, actor, found, now)}


async def inbox(session: AsyncSession, actor: Actor, now: datetime) -> Sequence[InboxRow]:
    """Everything about wishes that only staff can move on."""
    if not actor.has(Role.STAFF, Role.APPROVER):
        return []
    found = await queries.needing_staff(session, actor.community_id, now)
    return [_row(face) for face in await faces(session, actor, found, now)]


def _row(face: Face) -> InboxRow:
    wish = face.wish
    since = wish.changed_at
    if wish.state is WishState.POSTED:
        kind, is_urgent = "wish_posted", wish.is_urgent
    elif wish.state is WishState.DISPUTED:
        kind, is_urgent = "wish_disputed", True
    elif wish.state is WishState.SERVED and not wish.is_unseen:
        kind, is_urgent, since = "wish_unconfirmed", True, wish.confirm_due_at or since
    else:
        kind, is_urgent = "wish_urgent", True
    return InboxRow(
        kind=kind,
        title=wish.title,
        who=f"{face.asker} {face.asker_card or ''}".strip(),
        since=since,
        url=f"/desk/wishes/{wish.wish_id}",
        is_urgent=is_urgent,
    )


async def waiting(session: AsyncSession, actor: Actor) -> int:
    """The number beside the staff's entry."""
    return await queries.waiting_count(session, actor.community_id)


async def unfinished(session: AsyncSession, community_id: int, until: datetime) -> Sequence[Unfinished]:
    """Wishes served before a moment whose helpers have nothing for it yet."""
    return [Unfinished("wishes", await queries.unconfirmed_before(session, community_id, until), "/desk/wishes")]
