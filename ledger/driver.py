"""The one way to the database: the caller's session, and so the caller's transaction."""

from typing import Any

from sqlalchemy.ext.asyncio import AsyncSession


async def fetch(session: AsyncSession, query: str, *values: object) -> list[tuple[Any, ...]]:
    """Run one statement with $1, $2 … and return its rows.

    Values go to the driver as they are, without the bind processing that text() adds, but by SQLAlchemy's connection:
    it has begun the transaction, which the bare driver connection may not have.
    """
    connection = await session.connection()
    return [tuple(row) for row in await connection.exec_driver_sql(query, values)]
