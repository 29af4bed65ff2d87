"""Imports of people: uploaded sheets and their sealed rows."""

from migrations.sql import run_sql

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the tables."""
    run_sql(__file__)


def downgrade() -> None:
    """Drop them with everything in them."""
    run_sql(__file__, down=True)
