"""Shops that leave."""

from migrations.sql import run_sql

revision = "0070"
down_revision = "0069"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Two people, steps that can be carried on, nothing left open."""
    run_sql(__file__)


def downgrade() -> None:
    """By hand again; refused while a shop is leaving."""
    run_sql(__file__, down=True)
