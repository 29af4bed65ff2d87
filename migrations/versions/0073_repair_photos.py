"""What repairs are shown by: photos, the lines of a price, the kind of work and who can do it."""

from migrations.sql import run_sql

revision = "0073"
down_revision = "0072"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the tables; orders of before are of no kind in particular."""
    run_sql(__file__)


def downgrade() -> None:
    """Drop the tables with everything in them."""
    run_sql(__file__, down=True)
