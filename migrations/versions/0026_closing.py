"""Closing of months and years by two people, and the book of a closed year."""

from migrations.sql import run_sql

revision = "0026"
down_revision = "0025"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the tables; what a closed year was can only be added."""
    run_sql(__file__)


def downgrade() -> None:
    """Drop them; what the ledger closed stays closed."""
    run_sql(__file__, down=True)
