"""Household classes, sealed, and what they entitle to."""

from migrations.sql import run_sql

revision = "0060"
down_revision = "0059"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the tables."""
    run_sql(__file__)


def downgrade() -> None:
    """Drop the tables with everything in them."""
    run_sql(__file__, down=True)
