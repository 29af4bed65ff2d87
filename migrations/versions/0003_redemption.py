"""Offers, vouchers held in escrow, uses and settlement."""

from migrations.sql import run_sql

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Schema redemption with its tables, functions and grants."""
    run_sql(__file__)


def downgrade() -> None:
    """Drop the schema."""
    run_sql(__file__, down=True)
