"""Uses corrected by two people after their shop confirmed the statement."""

from migrations.sql import run_sql

revision = "0076"
down_revision = "0075"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Corrections, and statements that bear them."""
    run_sql(__file__)


def downgrade() -> None:
    """Without them."""
    run_sql(__file__, down=True)
