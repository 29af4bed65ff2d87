"""A second factor for money and role acts of the office; where a session was opened, as a word."""

from migrations.sql import run_sql

revision = "0092"
down_revision = "0091"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Four tables, a column, and two settings that leave everything as it was."""
    run_sql(__file__)


def downgrade() -> None:
    """Without them."""
    run_sql(__file__, down=True)
