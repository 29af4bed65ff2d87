"""A code whose key was withdrawn has a reason of its own."""

from migrations.sql import run_sql

revision = "0058"
down_revision = "0057"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Withdrawn keys are no guesses."""
    run_sql(__file__)


def downgrade() -> None:
    """As it was."""
    run_sql(__file__, down=True)
