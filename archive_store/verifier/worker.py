"""A process that works on one range: `python -m archive_store.verifier.worker FOLDER START END HASH`.

It speaks marshal over its standard streams, with the process of the same Python that started it and nobody else.
"""

from __future__ import annotations

import marshal
import sys
from array import array
from dataclasses import asdict
from pathlib import Path
from typing import Any

from archive_store.verifier.export_files import ExportFolder
from archive_store.verifier.ranges import Range


def main() -> None:
    folder, start, end, hash_name = sys.argv[1:]
    source, sink = sys.stdin.buffer, sys.stdout.buffer

    def tell(message: Any) -> None:
        marshal.dump(message, sink)
        sink.flush()

    part = Range(ExportFolder(Path(folder)), int(start), int(end), hash_name)
    tell(part.count())
    first, size, wanted, is_last = marshal.load(source)  # noqa: S302
    part.place(first, size, wanted, is_last=is_last)
    folded, scan = part.folded(), part.scanned()
    # Most subjects have but one entry: as one string they are heard in a fraction of the time.
    subjects, places = b"\n".join(scan.fresh), array("q", scan.fresh.values())
    names = scan.__dataclass_fields__.keys() - {"fresh"}
    tell((asdict(folded), subjects, places.tobytes(), {name: getattr(scan, name) for name in names}))
    if marshal.load(source):  # noqa: S302
        tell(part.leaves())


if __name__ == "__main__":
    main()
