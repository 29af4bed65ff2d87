"""How a counter got a lock is kept with it, so that what it kept by a printed code is asked about and counted."""

from migrations.sql import run_sql

revision = "0089"
down_revision = "0088"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """The locks that were got by a code that does not change, and the counter's two doors for them."""
    run_sql(__file__)


def downgrade() -> None:
    """Without them."""
    run_sql(__file__, down=True)
