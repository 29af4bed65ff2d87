"""What is paid out of holds at a counter has a lane of its own, as plain journals have."""

from migrations.sql import run_sql

revision = "0057"
down_revision = "0056"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """The lane, and the core that tries it first."""
    run_sql(__file__)


def downgrade() -> None:
    """The core alone."""
    run_sql(__file__, down=True)
