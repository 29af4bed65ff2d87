"""Whoever uses a lock without a code uses the lock, or nothing."""

from migrations.sql import run_sql

revision = "0080"
down_revision = "0079"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Redeeming what is locked says whether anything else will do."""
    run_sql(__file__)


def downgrade() -> None:
    """It does not say."""
    run_sql(__file__, down=True)
