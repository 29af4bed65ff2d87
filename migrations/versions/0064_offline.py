"""Scanning without a network: devices, leases, uploads, and who pays for a conflict."""

from migrations.sql import run_sql

revision = "0064"
down_revision = "0063"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the tables and the functions."""
    run_sql(__file__)


def downgrade() -> None:
    """No scanning without a network. What was uploaded is lost."""
    run_sql(__file__, down=True)
