"""What a hold took from no lot is owed and has a row of its own; coming back it pays that first, so no hold makes points young."""

from migrations.sql import run_sql

revision = "0075"
down_revision = "0074"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """The lots' functions as they are in ledger/sql, and the rows that older holds lack."""
    run_sql(__file__)


def downgrade() -> None:
    """As they were."""
    run_sql(__file__, down=True)
