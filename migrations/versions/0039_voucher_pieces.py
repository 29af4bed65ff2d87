"""A voucher has pieces, some of which can be given back."""

from migrations.sql import run_sql

revision = "0039"
down_revision = "0038"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Pieces."""
    run_sql(__file__)


def downgrade() -> None:
    """One piece, and all or nothing again."""
    run_sql(__file__, down=True)
