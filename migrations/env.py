"""Alembic's entry: runs the migrations on the connection that `migrations.runner` opened. There is no other way in."""

from alembic import context
from sqlalchemy import Connection

connection: Connection = context.config.attributes["connection"]

context.configure(connection=connection, target_metadata=None, transaction_per_migration=True)
with context.begin_transaction():
    context.run_migrations()
