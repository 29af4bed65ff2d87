"""Payments in parts and back, accounts that two people change, invoices, how often a shop is settled."""

from migrations.sql import run_sql

revision = "0055"
down_revision = "0054"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """More than one payment."""
    run_sql(__file__)


def downgrade() -> None:
    """One payment, once; refused where a payment came in parts or back."""
    run_sql(__file__, down=True)
