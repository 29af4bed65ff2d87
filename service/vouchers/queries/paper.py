"""What stands on paper, what can be printed, and what was."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

import sqlalchemy as sa
from sqlmodel.ext.asyncio.session import AsyncSession

import redemption
from redemption import CodeKeys, OfflineClass
from service.identity import people_by_ids
from service.vouchers.queries.catalogue import VoucherCard
from service.vouchers.rules import PER_SHEET, PRINTED_CARDS_MAX, BatchNotFound


def paper_code(keys: CodeKeys, community_id: int, voucher: redemption.Voucher | VoucherCard) -> str:
    """The code that a paper gets: signed for what a shop may take without a network, and good online only otherwise."""
    if voucher.offline_class is not OfflineClass.ROAMING:
        return redemption.printed_code(
            keys, community_id=community_id, voucher_id=voucher.voucher_id, code_seq=voucher.code_seq
        )
    return redemption.signed_code(
        keys,
        community_id=community_id,
        voucher_id=voucher.voucher_id,
        code_seq=voucher.code_seq,
        offer_id=voucher.offer_id,
        expires_at=voucher.expires_at,
        quantity=voucher.quantity_open,
    )


@dataclass(frozen=True, slots=True)
class Printable:
    """A voucher that could be printed, and whose it is."""

    voucher_id: int
    member_id: UUID
    title: str
    expires_at: datetime
    is_printed: bool
    """There is a paper of it that is good; printing again kills that one."""


_PRINTABLE = sa.text("""
SELECT v.voucher_id, v.member_id, o.title, v.expires_at,
       EXISTS (SELECT FROM redemption.paper p
                WHERE p.community_id = v.community_id AND p.voucher_id = v.voucher_id AND p.code_seq = v.code_seq) AS is_printed
  FROM redemption.voucher v
  JOIN redemption.offer o ON o.community_id = v.community_id AND o.offer_id = v.offer_id
  JOIN member m ON m.community_id = v.community_id AND m.member_id = v.member_id
 WHERE v.community_id = :community_id AND v.state IN ('ISSUED', 'PART_USED') AND v.expires_at > :now
   AND (CAST(:offer_id AS uuid) IS NULL OR v.offer_id = :offer_id)
   AND (CAST(:cards AS text[]) IS NULL OR m.card_no = ANY (CAST(:cards AS text[])))
   AND (NOT :is_new OR NOT EXISTS (SELECT FROM redemption.paper p
         WHERE p.community_id = v.community_id AND p.voucher_id = v.voucher_id AND p.code_seq = v.code_seq))
 ORDER BY m.card_no, v.issued_at, v.voucher_id
 LIMIT :limit
""")


async def printable(
    session: AsyncSession,
    community_id: int,
    *,
    offer_id: UUID | None,
    cards: Sequence[str] | None,
    is_new: bool,
    now: datetime,
) -> Sequence[Printable]:
    """What a filter chooses, by card number: of one offer, of some people, or only what has no paper. At most one batch."""
    rows = await session.execute(
        _PRINTABLE,
        {
            "community_id": community_id,
            "offer_id": offer_id,
            "cards": list(cards) if cards else None,
            "is_new": is_new,
            "now": now,
            "limit": PRINTED_CARDS_MAX,
        },
    )
    return [Printable(row.voucher_id, row.member_id, row.title, row.expires_at, row.is_printed) for row in rows]


@dataclass(frozen=True, slots=True)
class Batch:
    """A batch with the names of who printed and who voided it."""

    batch: redemption.PaperBatch
    printed_by: str
    voided_by: str
    is_key_gone: bool
    """Its key was withdrawn: every paper of it is dead and wants printing again."""

    @property
    def is_dead(self) -> bool:
        """No paper of it is good any more, whatever became of the vouchers."""
        return self.is_key_gone or self.batch.voided_at is not None

    @property
    def sheets(self) -> int:
        """How many sheets of A4."""
        return -(-self.batch.papers // PER_SHEET)


async def named(
    session: AsyncSession, community_id: int, batches: Sequence[redemption.PaperBatch], keys: CodeKeys
) -> Sequence[Batch]:
    """Batches as staff read them: one query for all names."""
    hands = {each.printed_by for each in batches} | {each.voided_by for each in batches if each.voided_by}
    people = await people_by_ids(session, community_id, hands)
    names = {member_id: person.name for member_id, person in people.items()}
    return [
        Batch(
            each,
            names.get(each.printed_by, ""),
            names.get(each.voided_by, "") if each.voided_by else "",
            each.key_number not in keys.keys,
        )
        for each in batches
    ]


async def batch_for(session: AsyncSession, community_id: int, batch_id: UUID, keys: CodeKeys) -> Batch:
    """A batch of this community, with names."""
    try:
        found = await redemption.paper_batch(session, community_id, batch_id)
    except redemption.BatchUnknown as unknown:
        raise BatchNotFound from unknown
    return (await named(session, community_id, [found], keys))[0]


@dataclass(frozen=True, slots=True)
class PaperRow:
    """One paper of a batch, and whose voucher it is."""

    number: int
    voucher_id: int
    title: str
    expires_at: datetime
    name: str
    card_no: str
    is_live: bool


_ROWS = sa.text("""
SELECT p.number, p.voucher_id, o.title, v.expires_at, v.member_id, v.code_seq = p.code_seq
       AND v.state IN ('ISSUED', 'PART_USED') AND v.expires_at > :now AS is_live
  FROM redemption.paper p
  JOIN redemption.voucher v ON v.community_id = p.community_id AND v.voucher_id = p.voucher_id
  JOIN redemption.offer o ON o.community_id = v.community_id AND o.offer_id = v.offer_id
 WHERE p.community_id = :community_id AND p.batch_id = :batch_id ORDER BY p.number
""")


async def paper_rows(session: AsyncSession, community_id: int, batch_id: UUID, now: datetime) -> Sequence[PaperRow]:
    """The papers of a batch in the order of the sheets: two queries, however many there are."""
    rows = (await session.execute(_ROWS, {"community_id": community_id, "batch_id": batch_id, "now": now})).all()
    people = await people_by_ids(session, community_id, {row.member_id for row in rows})
    return [
        PaperRow(
            row.number,
            row.voucher_id,
            row.title,
            row.expires_at,
            people[row.member_id].name if row.member_id in people else "",
            people[row.member_id].card_no if row.member_id in people else "",
            row.is_live,
        )
        for row in rows
    ]
