"""Messages on the wire."""

from datetime import datetime
from uuid import UUID

import msgspec


class MessageOut(msgspec.Struct):
    """One message, said in the reader's language."""

    message_id: UUID
    text: str
    url: str
    sent_at: datetime
    is_read: bool


class Messages(msgspec.Struct):
    """A page of messages and the cursor of the next."""

    items: list[MessageOut]
    next: str | None
    unread: int
