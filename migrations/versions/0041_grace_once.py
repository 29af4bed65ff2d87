"""What has had its days of grace does not have them again."""

from migrations.sql import run_sql

revision = "0041"
down_revision = "0040"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Remember which moments end days of grace, those given before as well."""
    run_sql(__file__)


def downgrade() -> None:
    """Forget them."""
    run_sql(__file__, down=True)
