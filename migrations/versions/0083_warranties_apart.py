"""Warranties are released one by one, and a team that left is paid for what it holds."""

from migrations.sql import run_sql

revision = "0083"
down_revision = "0082"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Two columns, one more end of a warranty, and a scope that is judged by the lock."""
    run_sql(__file__)


def downgrade() -> None:
    """Without them."""
    run_sql(__file__, down=True)
