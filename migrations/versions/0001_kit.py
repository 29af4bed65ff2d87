"""What happened, what others must hear, what was already answered."""

from migrations.sql import run_sql

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the tables."""
    run_sql(__file__)


def downgrade() -> None:
    """Drop them with everything in them."""
    run_sql(__file__, down=True)
