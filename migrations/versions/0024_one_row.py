"""A transfer and what is said of its journal are one row."""

from migrations.sql import run_sql

revision = "0024"
down_revision = "0023"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """The wide table, filled from the two, and the functions that write it."""
    run_sql(__file__)


def downgrade() -> None:
    """The two tables and their functions as they were."""
    run_sql(__file__, down=True)
