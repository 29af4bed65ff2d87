"""Marks on every 64th line of an account: a balance of long ago costs what today's costs."""

from migrations.sql import run_sql

revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the tables and the functions; the worker fills them."""
    run_sql(__file__)


def downgrade() -> None:
    """Drop them: nothing is lost that the transfers do not say."""
    run_sql(__file__, down=True)
