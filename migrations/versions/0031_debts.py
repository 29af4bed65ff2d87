"""Debt by policy: what two people decided about it."""

from migrations.sql import run_sql

revision = "0031"
down_revision = "0030"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the table of proposals."""
    run_sql(__file__)


def downgrade() -> None:
    """Drop it; debts and permissions stand in the ledger."""
    run_sql(__file__, down=True)
