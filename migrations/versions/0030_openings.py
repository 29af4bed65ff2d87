"""Opening balances: sheets with their two people, a row a person, and what the record brings along."""

from migrations.sql import run_sql

revision = "0030"
down_revision = "0029"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the tables; the record learns the kind of what was brought along."""
    run_sql(__file__)


def downgrade() -> None:
    """Drop them; refuses while the record has something that was brought along."""
    run_sql(__file__, down=True)
