"""Batches of vouchers on paper."""

from migrations.sql import run_sql

revision = "0062"
down_revision = "0061"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Papers."""
    run_sql(__file__)


def downgrade() -> None:
    """No papers."""
    run_sql(__file__, down=True)
