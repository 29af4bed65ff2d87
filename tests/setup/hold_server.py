"""Runs a private server in a process of its own until it is killed. Started by the tests beside it.

Arguments: the data folder and what to do: `hold` waits for ever; `zombie` kills the server, does not look after it,
gives up the lock and then waits.
"""

import os
import signal
import sys
from pathlib import Path

from service.kit.embedded_pg import server


def main() -> None:
    """Start, say the server's pid and address on one line, and wait to be killed."""
    # A shell starts what runs in the background with this signal ignored, and children inherit that.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    data = Path(sys.argv[1])
    with server(data) as cluster:
        if sys.argv[2] == "zombie":
            os.kill(cluster.pid, signal.SIGKILL)
            os.waitid(os.P_PID, cluster.pid, os.WEXITED | os.WNOWAIT)  # dead, and still there
            _give_up_lock(data)
        print(cluster.pid, cluster.app_url, flush=True)
        signal.pause()


def _give_up_lock(data: Path) -> None:
    lock = str(data.with_name(data.name + ".lock"))
    for descriptor in Path("/proc/self/fd").iterdir():
        if descriptor.is_symlink() and str(descriptor.readlink()) == lock:
            os.close(int(descriptor.name))


if __name__ == "__main__":
    main()
