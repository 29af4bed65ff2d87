"""PostgreSQL refuses to run as root. This module finds a way to start it that is not root.

Nothing here makes users, and nothing changes the mode of a folder above the data: a checkout in a private home stays
private.
"""

import os
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

from service.kit.embedded_pg.binaries import Binaries, EmbeddedPgError

NOBODY = 65534


@dataclass(frozen=True, slots=True)
class Privileges:
    """What to put in front of the server's programs, and who must then own its folders (None: they stay ours)."""

    prefix: tuple[str, ...]
    owner: int | None

    def own(self, folder: Path) -> None:
        """Give one folder of the server's own to whoever it will run as."""
        if self.owner is not None:
            os.chown(folder, self.owner, self.owner)


def privileges(binaries: Binaries, data: Path) -> Privileges:
    """How to start the server as someone who is not root."""
    if os.geteuid() != 0:
        return Privileges((), None)
    # In a user namespace root's own files belong to the mapped uid, so that there is nothing to hand over.
    namespace = ("unshare", "--user", "--map-user=1000", "--map-group=1000", "--")
    if shutil.which("unshare") and _succeeds(*namespace, "true"):
        return Privileges(namespace, None)
    step_down = ("setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups", "--")
    can_reach = shutil.which("setpriv") and all(
        _succeeds(*step_down, "test", "-x", str(path)) for path in (binaries.folder / "postgres", data.parent)
    )
    if can_reach:
        return Privileges(step_down, NOBODY)
    message = (
        "PostgreSQL does not run as root, user namespaces are blocked on this machine, and an unprivileged user "
        f"cannot reach {binaries.folder} and {data.parent}. Run Linli as an ordinary user, move it to a folder that "
        "others may enter, or set LINLI_DATABASE_URL and LINLI_OWNER_URL."
    )
    raise EmbeddedPgError(message)


def die_with_us() -> tuple[str, ...]:
    """Makes the kernel interrupt the server when this process dies, however it dies. Linux only.

    It must come last before the program: a change of user clears the request.
    """
    return ("setpriv", "--pdeathsig", "INT", "--") if shutil.which("setpriv") else ()


def _succeeds(*command: str) -> bool:
    return subprocess.run(command, capture_output=True, check=False).returncode == 0
