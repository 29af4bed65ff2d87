"""The rows of a batch are looked up by their keys, whatever was planned when the tables were empty."""

from migrations.sql import run_sql

revision = "0052"
down_revision = "0051"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Say so to the planner."""
    run_sql(__file__)


def downgrade() -> None:
    """Leave it to the planner."""
    run_sql(__file__, down=True)
