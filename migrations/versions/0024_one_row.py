"""A transfer and what is said of its journal are one row."""

from alembic import op

from migrations.sql import run_sql

revision = "0024"
down_revision = "0023"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """The wide table, filled from the two, and the functions that write it."""
    op.execute("SET LOCAL statement_timeout = 0")  # it moves every row of the books: minutes where there are millions
    run_sql(__file__)


def downgrade() -> None:
    """The two tables and their functions as they were."""
    op.execute("SET LOCAL statement_timeout = 0")
    run_sql(__file__, down=True)
