"""Opening many accounts in one call costs each the same."""

from migrations.sql import run_sql

revision = "0022"
down_revision = "0021"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """The function without its quadratic part."""
    run_sql(__file__)


def downgrade() -> None:
    """The function as it was."""
    run_sql(__file__, down=True)
