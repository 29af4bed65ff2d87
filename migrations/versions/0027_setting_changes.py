"""Changes of dated settings: asked for, agreed to by a second person, taken back in time."""

from migrations.sql import run_sql

revision = "0027"
down_revision = "0026"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the table."""
    run_sql(__file__)


def downgrade() -> None:
    """Drop it with everything in it."""
    run_sql(__file__, down=True)
