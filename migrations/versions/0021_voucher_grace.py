"""The grace of late uploads comes from the community, frozen at issue."""

from migrations.sql import run_sql

revision = "0021"
down_revision = "0020"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """The functions that issue take the hours."""
    run_sql(__file__)


def downgrade() -> None:
    """Three days for everybody again."""
    run_sql(__file__, down=True)
