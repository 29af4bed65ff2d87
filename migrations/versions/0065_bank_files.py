"""Files of payments for the bank."""

from migrations.sql import run_sql

revision = "0065"
down_revision = "0064"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Numbered files."""
    run_sql(__file__)


def downgrade() -> None:
    """By hand again; refused while a file is with the bank."""
    run_sql(__file__, down=True)
