"""The job queue's own tables, in a schema of their own, by the queue's own installer."""

from typing import Any

from alembic import op
from pgqueuer.adapters.persistence.qb import QueryBuilderEnvironment
from pgqueuer.domain.settings import DBSettings

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

GRANTS = """
GRANT USAGE ON SCHEMA jobs TO linli_app;
GRANT SELECT, INSERT, UPDATE, DELETE, TRUNCATE ON ALL TABLES IN SCHEMA jobs TO linli_app;
GRANT USAGE ON ALL SEQUENCES IN SCHEMA jobs TO linli_app;
"""


def _run(script: str) -> None:
    bind = op.get_bind()
    bind.exec_driver_sql("SELECT 1")  # makes the driver send BEGIN before the script
    driver_connection: Any = bind.connection.dbapi_connection
    driver_connection.run_async(lambda connection: connection.execute(script))


def upgrade() -> None:
    """Install the queue of the locked version; its later versions bring migrations of their own."""
    queue = QueryBuilderEnvironment(settings=DBSettings(db_schema="jobs"))
    _run("CREATE SCHEMA jobs;" + queue.build_install_query(create_schema=False) + GRANTS)


def downgrade() -> None:
    """Waiting jobs go with it; their facts are still in the outbox."""
    _run("DROP SCHEMA jobs CASCADE;")
