"""What is owed for vouchers used twice is collected by itself, where two people have turned it on."""

from migrations.sql import run_sql

revision = "0090"
down_revision = "0089"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Who was told, what was collected, two settings and the function that collects."""
    run_sql(__file__)


def downgrade() -> None:
    """By people alone, as before."""
    run_sql(__file__, down=True)
