"""The ledger: closed periods, debt by policy, and holds that expire by themselves."""

from migrations.sql import run_sql

revision = "0019"
down_revision = "0018"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make it."""
    run_sql(__file__)


def downgrade() -> None:
    """Take it back."""
    run_sql(__file__, down=True)
