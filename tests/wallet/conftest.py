"""What the wallet's tests share."""

from collections.abc import Iterator
from contextlib import contextmanager

import pytest
import sqlalchemy as sa


@pytest.fixture
def statements(app):
    """Counts the statements that SQLAlchemy sends while the block runs."""

    @contextmanager
    def watched() -> Iterator[list[str]]:
        seen: list[str] = []

        def note(_connection, _cursor, statement, *_rest):
            seen.append(statement)

        engine = app.state.engine.sync_engine
        sa.event.listen(engine, "before_cursor_execute", note)
        try:
            yield seen
        finally:
            sa.event.remove(engine, "before_cursor_execute", note)

    return watched
