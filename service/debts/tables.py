"""What was proposed about debts and who decided it. What came of it stands in the ledger."""

from datetime import datetime
from uuid import UUID

import sqlalchemy as sa
from sqlmodel import Field, SQLModel

from service.debts.rules import DebtStep, RequestState
from service.kit.columns import big, community_key, key, one_of, to_member


class DebtRequest(SQLModel, table=True):
    """One proposal and its two people."""

    __tablename__ = "debt_request"
    __table_args__ = (
        sa.PrimaryKeyConstraint("community_id", "request_id", name="pk_debt_request"),
        one_of("ck_debt_request_step", "step", DebtStep),
        one_of("ck_debt_request_state", "state", RequestState),
        sa.CheckConstraint(
            "hundredths >= 0 AND (step = 'allow'::text OR hundredths > 0)", name="ck_debt_request_hundredths"
        ),
        sa.CheckConstraint(
            "(state = 'proposed'::text) = (decided_at IS NULL) AND (decided_at IS NULL) = (decided_by IS NULL)",
            name="ck_debt_request_decided",
        ),
        sa.CheckConstraint("state <> 'done'::text OR decided_by <> proposed_by", name="ck_debt_request_two"),
        to_member("fk_debt_request_member", "member_id"),
        to_member("fk_debt_request_proposed_by", "proposed_by"),
        to_member("fk_debt_request_decided_by", "decided_by"),
        sa.Index(
            "uq_debt_request_waiting",
            "community_id",
            "member_id",
            "step",
            unique=True,
            postgresql_where=sa.text("state = 'proposed'::text"),
        ),
    )

    community_id: int = community_key()
    request_id: UUID = key()
    step: str = Field(sa_type=sa.Text)
    state: str = Field(sa_type=sa.Text)
    member_id: UUID
    hundredths: int = big()
    """Of a point: the limit to allow, or what may be forgiven at most."""
    note: str = Field(sa_type=sa.Text)
    done_hundredths: int | None = big(nullable=True)
    """What was forgiven in the end: never more than was owed."""
    proposed_by: UUID
    proposed_at: datetime
    decided_by: UUID | None = None
    decided_at: datetime | None = None
