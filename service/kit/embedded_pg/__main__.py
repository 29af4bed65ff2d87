"""`./dev db dump|restore FILE`: the private database of this checkout as one file."""

import sys
from pathlib import Path

from service.kit.embedded_pg import EmbeddedPgError
from service.kit.embedded_pg.copies import dump, restore
from service.kit.settings import Settings


def main(words: list[str]) -> None:
    """Do one of the two, and say in a sentence why not."""
    verbs = {"dump": dump, "restore": restore}
    if len(words) != 2 or words[0] not in verbs:
        sys.exit("./dev db dump FILE, or ./dev db restore FILE")
    try:
        verbs[words[0]](Settings().data_dir / "postgres", Path(words[1]).absolute())
    except EmbeddedPgError as reason:
        sys.exit(str(reason))


if __name__ == "__main__":
    main(sys.argv[1:])
