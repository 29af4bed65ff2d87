"""Business rows come in the statement that posts their journals."""

from migrations.sql import run_sql

revision = "0038"
down_revision = "0037"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the function."""
    run_sql(__file__)


def downgrade() -> None:
    """Take it away."""
    run_sql(__file__, down=True)
