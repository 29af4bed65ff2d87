"""Alarms about the books."""

from migrations.sql import run_sql

revision = "0020"
down_revision = "0019"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the table."""
    run_sql(__file__)


def downgrade() -> None:
    """Drop it with everything in it."""
    run_sql(__file__, down=True)
