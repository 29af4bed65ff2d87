"""Scans that wait for each other are paid and written together."""

from migrations.sql import run_sql

revision = "0071"
down_revision = "0070"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """The counter's functions as they are in redemption/sql and service/vouchers/sql."""
    run_sql(__file__)


def downgrade() -> None:
    """As they were."""
    run_sql(__file__, down=True)
