"""A retry of a reversal is the same whichever end its legs were led back from."""

from migrations.sql import run_sql

revision = "0037"
down_revision = "0036"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Put the new functions in the place of the old."""
    run_sql(__file__)


def downgrade() -> None:
    """Bring the old ones back."""
    run_sql(__file__, down=True)
