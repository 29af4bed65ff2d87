"""A voucher used with a network and then without counts against its member."""

from migrations.sql import run_sql

revision = "0077"
down_revision = "0076"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Both ways of using a voucher twice count alike."""
    run_sql(__file__)


def downgrade() -> None:
    """Only the one without a network."""
    run_sql(__file__, down=True)
