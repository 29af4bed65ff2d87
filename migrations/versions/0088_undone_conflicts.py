"""What a conflict paid is taken back whole, a lease is good for what it had, and people decide by the table."""

from migrations.sql import run_sql

revision = "0088"
down_revision = "0087"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """A table of what leases had, three columns, and the functions that look at them."""
    run_sql(__file__)


def downgrade() -> None:
    """Without them."""
    run_sql(__file__, down=True)
