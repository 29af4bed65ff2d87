"""Amounts that expire lie in lots, and what a hold paid can be refunded."""

from migrations.sql import run_sql

revision = "0028"
down_revision = "0027"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Policies, lots, and the functions that follow postings through them."""
    run_sql(__file__)


def downgrade() -> None:
    """Without lots. Refuses while a refund stands in a book: there is no word for it below."""
    run_sql(__file__, down=True)
