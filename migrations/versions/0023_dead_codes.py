"""A typed code dies with the codes it stood below; a confirmed statement takes no objection."""

from migrations.sql import run_sql

revision = "0023"
down_revision = "0022"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """The functions that make new codes take a typed one too."""
    run_sql(__file__)


def downgrade() -> None:
    """The typed code stays for good again."""
    run_sql(__file__, down=True)
