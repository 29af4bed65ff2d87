"""A scan asks once whether it is new and whether anybody has erred, instead of in five functions."""

from migrations.sql import run_sql

revision = "0061"
down_revision = "0060"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """The counter's functions as they are in service/vouchers/sql."""
    run_sql(__file__)


def downgrade() -> None:
    """As they were."""
    run_sql(__file__, down=True)
