"""Gifts within a household."""

from migrations.sql import run_sql

revision = "0053"
down_revision = "0052"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the table, the settings and the functions by which value moves."""
    run_sql(__file__)


def downgrade() -> None:
    """Drop the table with everything in it, and the functions. The settings stay, as history does."""
    run_sql(__file__, down=True)
