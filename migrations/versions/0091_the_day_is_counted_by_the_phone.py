"""A scan's answer says nothing of the day: the phone counts. A batch waits for no voucher that somebody else holds."""

from migrations.sql import run_sql

revision = "0091"
down_revision = "0090"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Functions only."""
    run_sql(__file__)


def downgrade() -> None:
    """The functions as they were."""
    run_sql(__file__, down=True)
