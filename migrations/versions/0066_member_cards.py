"""The cards of members without a phone."""

from migrations.sql import run_sql

revision = "0066"
down_revision = "0065"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Cards."""
    run_sql(__file__)


def downgrade() -> None:
    """No cards."""
    run_sql(__file__, down=True)
