"""Lines in dispute are decided: for the shop, or by taking the use back."""

from migrations.sql import run_sql

revision = "0016"
down_revision = "0015"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """What a decision leaves behind, and the functions that make it."""
    run_sql(__file__)


def downgrade() -> None:
    """Back to disputes that wait; refuses once one is decided."""
    run_sql(__file__, down=True)
