"""Vouchers are reserved and locked, and their price changed by proposals."""

from migrations.sql import run_sql

revision = "0059"
down_revision = "0058"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Reserve, confirm, lock, unlock, redeem what is locked, propose and answer a change."""
    run_sql(__file__)


def downgrade() -> None:
    """No locks and no changes; their proposals go with the tables."""
    run_sql(__file__, down=True)
