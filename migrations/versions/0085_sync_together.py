"""Records of a phone that are plainly accepted are merged together."""

from migrations.sql import run_sql

revision = "0085"
down_revision = "0084"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """What syncs phones, as it is in redemption/sql."""
    run_sql(__file__)


def downgrade() -> None:
    """One record after the other."""
    run_sql(__file__, down=True)
