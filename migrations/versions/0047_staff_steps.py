"""What takes two of staff: calling a voucher back, and giving it more days."""

from migrations.sql import run_sql

revision = "0047"
down_revision = "0046"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Requests."""
    run_sql(__file__)


def downgrade() -> None:
    """No requests."""
    run_sql(__file__, down=True)
