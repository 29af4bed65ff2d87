"""`linli read-only` while the service runs."""

import httpx
import pytest

from tests.cli.conftest import Installation


@pytest.mark.slow
def test_the_running_service_reads_and_then_writes_again(founded: Installation) -> None:
    with founded.serving() as service:
        assert founded.linli("read-only", "status").stdout.strip() == "read-only is off"

        on = founded.linli("read-only", "on")
        held = httpx.get(f"{service.url}/health/ready").text
        user = founded.linli("user", "--community", "610102001012", "--card", "0012-0001")
        off = founded.linli("read-only", "off")

        assert on.returncode == off.returncode == 0, on.stderr + off.stderr
        assert on.stdout.startswith("read-only is on")
        assert held == "ok, read only"
        assert user.returncode == 1
        assert "linli read-only off" in user.stderr
        assert httpx.get(f"{service.url}/health/ready").text == "ok"
        assert founded.linli("user", "--community", "610102001012", "--card", "0012-0001").returncode == 0
        assert founded.linli("read-only", "off").stdout.strip() == "read-only is off"
