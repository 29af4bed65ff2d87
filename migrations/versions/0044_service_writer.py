"""One writer of the service record, whichever door its journal comes through."""

from migrations.sql import run_sql

revision = "0044"
down_revision = "0043"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the functions."""
    run_sql(__file__)


def downgrade() -> None:
    """Take them away."""
    run_sql(__file__, down=True)
