"""Caring merchants' rates and sales."""

from migrations.sql import run_sql

revision = "0048"
down_revision = "0047"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the tables, the settings and the two functions that bring sales along with their journals."""
    run_sql(__file__)


def downgrade() -> None:
    """Drop them with everything in them. The settings stay, as history does."""
    run_sql(__file__, down=True)
