"""Corrections: borne by the next statement whenever agreed on, never of a shop that left, never about one's own voucher."""

from migrations.sql import run_sql

revision = "0082"
down_revision = "0081"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Stricter about who and when."""
    run_sql(__file__)


def downgrade() -> None:
    """As it was."""
    run_sql(__file__, down=True)
