"""Staff use a voucher for a member at the desk; a counter's lock respects a phone's lease."""

from migrations.sql import run_sql

revision = "0074"
down_revision = "0073"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Uses at the desk, with two names each; take_lock knows which phone asks."""
    run_sql(__file__)


def downgrade() -> None:
    """Without them."""
    run_sql(__file__, down=True)
