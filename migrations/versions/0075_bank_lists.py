"""The bank's lists, compared with the files of payments and booked once."""

from migrations.sql import run_sql

revision = "0075"
down_revision = "0074"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Lists, their lines, and their booking."""
    run_sql(__file__)


def downgrade() -> None:
    """Without them."""
    run_sql(__file__, down=True)
