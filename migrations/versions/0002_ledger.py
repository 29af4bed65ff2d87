"""The double-entry ledger: schema ledger, its tables and the functions that alone write to them."""

from migrations.sql import run_sql

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the schema."""
    run_sql(__file__)


def downgrade() -> None:
    """Drop it with everything in it."""
    run_sql(__file__, down=True)
