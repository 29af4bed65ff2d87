"""Codes that do not change: the name is compared above a value, and a member's day has a most."""

from migrations.sql import run_sql

revision = "0086"
down_revision = "0085"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """What was used by such codes, the counter's door for them, and the two settings."""
    run_sql(__file__)


def downgrade() -> None:
    """Without them."""
    run_sql(__file__, down=True)
