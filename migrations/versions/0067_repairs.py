"""Repair orders, and locks on what is used in part."""

from migrations.sql import run_sql

revision = "0067"
down_revision = "0066"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the tables."""
    run_sql(__file__)


def downgrade() -> None:
    """Drop the tables with everything in them."""
    run_sql(__file__, down=True)
