"""A step looks at its own hold and at the lots of its own journal, not at all of the book."""

from migrations.sql import run_sql

revision = "0045"
down_revision = "0044"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """The core that writes holds where it found them."""
    run_sql(__file__)


def downgrade() -> None:
    """The one that looks for them again."""
    run_sql(__file__, down=True)
