"""What comes into the fund: merchants' payments and donations."""

from migrations.sql import run_sql

revision = "0054"
down_revision = "0053"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the table and the setting."""
    run_sql(__file__)


def downgrade() -> None:
    """Drop the table with everything in it. The setting stays, as history does."""
    run_sql(__file__, down=True)
