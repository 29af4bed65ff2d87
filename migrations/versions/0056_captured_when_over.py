"""What is captured may have expired while it lay aside, and the next journal of the batch cannot spend it."""

from migrations.sql import run_sql

revision = "0056"
down_revision = "0055"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """The core that lets such journals see each other."""
    run_sql(__file__)


def downgrade() -> None:
    """The one that decides them together."""
    run_sql(__file__, down=True)
