"""Hours are approved at the ledger's door: each row in the statement that posts it."""

from migrations.sql import run_sql

revision = "0049"
down_revision = "0048"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the functions, and the right to write verdicts down."""
    run_sql(__file__)


def downgrade() -> None:
    """Take them away."""
    run_sql(__file__, down=True)
