"""A batch in which something that is over is taken away is the same as its journals one by one."""

from migrations.sql import run_sql

revision = "0043"
down_revision = "0042"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Put the new function in the place of the old."""
    run_sql(__file__)


def downgrade() -> None:
    """Bring the old one back."""
    run_sql(__file__, down=True)
