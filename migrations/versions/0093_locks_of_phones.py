"""A lock knows the phone that keeps it, so that the phone's own scan without a network is accepted."""

from migrations.sql import run_sql

revision = "0093"
down_revision = "0092"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """The phone on the lock's row, and the functions that look at it."""
    run_sql(__file__)


def downgrade() -> None:
    """Without it."""
    run_sql(__file__, down=True)
