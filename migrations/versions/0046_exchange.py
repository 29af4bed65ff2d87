"""The neighbour exchange."""

from migrations.sql import run_sql

revision = "0046"
down_revision = "0045"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the tables, the settings and the functions by which value moves."""
    run_sql(__file__)


def downgrade() -> None:
    """Drop the tables with everything in them, and the functions. The settings stay, as history does."""
    run_sql(__file__, down=True)
