"""${message}."""

from migrations.sql import run_sql

revision = ${repr(up_revision)}
down_revision = ${repr(down_revision)}
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply the SQL beside this file."""
    run_sql(__file__)


def downgrade() -> None:
    """Take it back."""
    run_sql(__file__, down=True)
