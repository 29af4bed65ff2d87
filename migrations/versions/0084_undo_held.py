"""A scan that its phone took back is not paid."""

from migrations.sql import run_sql

revision = "0084"
down_revision = "0083"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Held ones are closed, late ones are looked at; the floor counts by our clock."""
    run_sql(__file__)


def downgrade() -> None:
    """As it was."""
    run_sql(__file__, down=True)
