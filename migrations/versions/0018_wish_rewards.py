"""A wish's reward lies aside from its approval on."""

from migrations.sql import run_sql

revision = "0018"
down_revision = "0017"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """The hold of each open wish that was promised a reward."""
    run_sql(__file__)


def downgrade() -> None:
    """Let every reward go: the release before draws it when the wish is confirmed."""
    run_sql(__file__, down=True)
