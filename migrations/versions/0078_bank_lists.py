"""The bank's lists, compared with the files of payments and booked once."""

from migrations.sql import run_sql

revision = "0078"
down_revision = "0077"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Lists, their lines, and their booking."""
    run_sql(__file__)


def downgrade() -> None:
    """Without them."""
    run_sql(__file__, down=True)
