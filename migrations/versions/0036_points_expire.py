"""Points may expire by a rule of the community, after a warning."""

from migrations.sql import run_sql

revision = "0036"
down_revision = "0035"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Whom somebody warned, and what the settings are worth where nobody said otherwise."""
    run_sql(__file__)


def downgrade() -> None:
    """Without warnings; what a community set stays in its history."""
    run_sql(__file__, down=True)
