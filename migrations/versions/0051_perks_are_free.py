"""A perk costs nothing, is for some only and is not given away."""

from migrations.sql import run_sql

revision = "0051"
down_revision = "0050"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """The rule."""
    run_sql(__file__)


def downgrade() -> None:
    """No rule."""
    run_sql(__file__, down=True)
