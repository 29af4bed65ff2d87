"""What a member's own phone keeps of the vouchers."""

import msgspec


class KeptVoucherOut(msgspec.Struct):
    """One voucher, with the seeds of its codes (8 bytes each, base64url) and the number of the key of each."""

    id: str
    title: str
    shops: str
    places: list[str]
    quantity_open: int
    quantity_total: int
    terms: list[str]
    """What there is to know before it is shown, in the reader's language."""
    needs_network: bool
    """The shop takes it only with a network of its own."""
    expires_at: int
    expires_said: str
    code_seq: int
    keys: list[int]
    seeds: list[str]


class KeptOut(msgspec.Struct):
    """All of it: of which session, what the time is, until when it may be kept (Unix milliseconds).

    Without a session nothing may be kept.
    """

    session: str | None
    server_time: int
    said: str
    """The same in the reader's words."""
    until: int
    origin: str
    first_window: int
    vouchers: list[KeptVoucherOut]
