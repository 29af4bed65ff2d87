"""What every account of a book had at a moment."""

from migrations.sql import run_sql

revision = "0035"
down_revision = "0034"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the function."""
    run_sql(__file__)


def downgrade() -> None:
    """Drop it."""
    run_sql(__file__, down=True)
