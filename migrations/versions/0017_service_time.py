"""Nobody's time counts twice; a reward that the daily cap leaves no minutes beside has its line."""

from migrations.sql import run_sql

revision = "0017"
down_revision = "0016"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Table service_time with the times of what is recorded, and records of a reward alone."""
    run_sql(__file__)


def downgrade() -> None:
    """Drop the table; refuses once a reward stands alone."""
    run_sql(__file__, down=True)
