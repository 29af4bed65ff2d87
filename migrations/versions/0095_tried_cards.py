"""Since when a card is locked."""

from migrations.sql import run_sql

revision = "0095"
down_revision = "0094"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """A column for the moment of the last try."""
    run_sql(__file__)


def downgrade() -> None:
    """Without it."""
    run_sql(__file__, down=True)
