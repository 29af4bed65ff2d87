"""A private PostgreSQL that lives exactly as long as the process that asked for it.

`with server(folder) as cluster:` makes the data folder when it is missing, starts the server as a child of this
process and stops it at the end of the block. It listens on a socket in a folder only its owner may enter, never on
TCP, which is why its roles need no passwords. If this process is killed the server stops by itself; if both are
killed the next start recovers what was committed.

Call it from the main thread: the kernel ties the child's life to the thread that started it.
"""

from service.kit.embedded_pg.binaries import Binaries, EmbeddedPgError, find_binaries
from service.kit.embedded_pg.cluster import Cluster, running, server
from service.kit.embedded_pg.copies import dump, restore

__all__ = ["Binaries", "Cluster", "EmbeddedPgError", "dump", "find_binaries", "restore", "running", "server"]
