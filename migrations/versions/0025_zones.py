"""Zones of a book: a search reads only the runs of journals that can hold an answer."""

from migrations.sql import run_sql

revision = "0025"
down_revision = "0024"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the tables and the functions; the worker fills them."""
    run_sql(__file__)


def downgrade() -> None:
    """Drop them: nothing is lost that the journals do not say."""
    run_sql(__file__, down=True)
