"""Clearing between communities."""

from migrations.sql import run_sql

revision = "0032"
down_revision = "0031"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the tables, the settings and the function that gives an account other bounds."""
    run_sql(__file__)


def downgrade() -> None:
    """Drop the tables with everything in them, and the function. The settings stay, as history does."""
    run_sql(__file__, down=True)
