"""A phone number signs one person of a community in, said by the database; what became of one person by imports is found."""

from migrations.sql import run_sql

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the constraint and the index."""
    run_sql(__file__)


def downgrade() -> None:
    """Take them away."""
    run_sql(__file__, down=True)
