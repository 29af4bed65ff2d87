"""A row of uses whose receipts nobody read waits for somebody to look."""

from migrations.sql import run_sql

revision = "0094"
down_revision = "0093"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """One more rule of the watch, and its setting."""
    run_sql(__file__)


def downgrade() -> None:
    """Without it; what it flagged goes with it."""
    run_sql(__file__, down=True)
