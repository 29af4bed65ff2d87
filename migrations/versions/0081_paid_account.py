"""A payment that a file asked for names the account of the file."""

from migrations.sql import run_sql

revision = "0081"
down_revision = "0080"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """The account to which the file sent it."""
    run_sql(__file__)


def downgrade() -> None:
    """The shop's account of the moment it is recorded in."""
    run_sql(__file__, down=True)
