"""The public account says what conflicts of offline scans cost, and finds them by their time."""

from migrations.sql import run_sql

revision = "0068"
down_revision = "0067"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """An index of the few uses that somebody else bears."""
    run_sql(__file__)


def downgrade() -> None:
    """Without it."""
    run_sql(__file__, down=True)
