"""A process that works on one range: `python -m archive_store.verifier.worker FOLDER START END HASH`.

It speaks marshal over its standard streams, with the process of the same Python that started it and nobody else.
"""

from __future__ import annotations

import marshal
import sys
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
    first, size, wanted = marshal.load(source)  # noqa: S302
    tell(asdict(part.fold(first, size, wanted)))
    scan = part.scanned(with_ends=marshal.load(source))  # noqa: S302
    tell({name: getattr(scan, name) for name in scan.__dataclass_fields__})
    if marshal.load(source):  # noqa: S302
        tell(part.leaves())


if __name__ == "__main__":
    main()
