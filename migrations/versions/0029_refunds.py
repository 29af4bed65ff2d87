"""A use that is taken back is a refund of the holds it was paid from."""

from migrations.sql import run_sql

revision = "0029"
down_revision = "0028"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Refunds in place of plain postings."""
    run_sql(__file__)


def downgrade() -> None:
    """Plain postings, as they were."""
    run_sql(__file__, down=True)
