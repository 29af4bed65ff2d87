"""A member gives a voucher to another."""

from migrations.sql import run_sql

revision = "0050"
down_revision = "0049"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Gifts."""
    run_sql(__file__)


def downgrade() -> None:
    """No gifts."""
    run_sql(__file__, down=True)
