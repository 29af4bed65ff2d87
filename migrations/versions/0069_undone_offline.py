"""A scan without a network is taken back by a record of its own."""

from migrations.sql import run_sql

revision = "0069"
down_revision = "0068"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """What a record annuls, and the upload that knows of it."""
    run_sql(__file__)


def downgrade() -> None:
    """Uploads that know of scans alone."""
    run_sql(__file__, down=True)
