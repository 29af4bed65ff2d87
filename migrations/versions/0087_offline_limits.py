"""Limits of scanning without a network, and the days of repairs, are settings of each community."""

from migrations.sql import run_sql

revision = "0087"
down_revision = "0086"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """What each phone was told is kept: its records are judged by that."""
    run_sql(__file__)


def downgrade() -> None:
    """As it was."""
    run_sql(__file__, down=True)
