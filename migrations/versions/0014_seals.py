"""Seals of the books: the tree over the transfers, its stored nodes, and signed roots."""

from migrations.sql import run_sql

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the tables and the functions that alone write to them."""
    run_sql(__file__)


def downgrade() -> None:
    """Drop them with everything in them."""
    run_sql(__file__, down=True)
