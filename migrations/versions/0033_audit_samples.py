"""Samples that an auditor draws, and what was found."""

from migrations.sql import run_sql

revision = "0033"
down_revision = "0032"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the tables."""
    run_sql(__file__)


def downgrade() -> None:
    """Drop them with everything in them."""
    run_sql(__file__, down=True)
