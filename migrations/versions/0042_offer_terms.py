"""Offers have days, a time from which they can be used, a cap for each period, and may be for some only."""

from migrations.sql import run_sql

revision = "0042"
down_revision = "0041"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Days, caps of a period and what is required."""
    run_sql(__file__)


def downgrade() -> None:
    """Every day, for everybody."""
    run_sql(__file__, down=True)
