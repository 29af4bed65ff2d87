"""The queue of a dead phone is brought by people."""

from migrations.sql import run_sql

revision = "0072"
down_revision = "0071"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """An upload that says who brings it."""
    run_sql(__file__)


def downgrade() -> None:
    """Uploads by phones alone."""
    run_sql(__file__, down=True)
