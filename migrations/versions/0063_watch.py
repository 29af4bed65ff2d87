"""A batch is closed in sets; what looks odd stays out of it until somebody has looked."""

from migrations.sql import run_sql

revision = "0063"
down_revision = "0062"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """The watch."""
    run_sql(__file__)


def downgrade() -> None:
    """Nobody watches; refused while alarms are open."""
    run_sql(__file__, down=True)
