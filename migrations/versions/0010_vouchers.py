"""The merchant's scan in one call, refused scans and reminders of vouchers that end soon."""

from migrations.sql import run_sql

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the tables and the function of the counter."""
    run_sql(__file__)


def downgrade() -> None:
    """Drop them."""
    run_sql(__file__, down=True)
