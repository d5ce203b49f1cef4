"""`python -m archive_store.verifier FOLDER --key KEY`: the verification alone, without the server's packages."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

from archive_store.verifier.findings import VerifierError
from archive_store.verifier.inputs import KEY_IS_EXPORTED, exported_key, read_checkpoint, read_key
from archive_store.verifier.verification import verify_export


def main() -> int:
    """The exit status: 0 sound, 1 flawed or not verifiable; argparse ends with 2."""
    parser = argparse.ArgumentParser(
        prog="python -m archive_store.verifier", description="Verify an audit export."
    )
    parser.add_argument("folder", type=Path)
    parser.add_argument("--checkpoint", type=Path, action="append", default=[], help="an older checkpoint")
    parser.add_argument("--json", action="store_true", help="print the report as JSON")
    trust = parser.add_mutually_exclusive_group(required=True)
    trust.add_argument("--key", help="the verifier key that is trusted, or a file of it")
    trust.add_argument(
        "--trust-exported-key", action="store_true", help="proves but that the export agrees with itself"
    )
    asked = parser.parse_args()
    try:
        if asked.trust_exported_key:
            sys.stderr.write(f"WARNING: {KEY_IS_EXPORTED}\n")
        key = exported_key(asked.folder) if asked.trust_exported_key else read_key(asked.key)
        report = verify_export(asked.folder, key, [read_checkpoint(file) for file in asked.checkpoint])
    except VerifierError as error:
        sys.stderr.write("".join(f"{line}\n" for line in (f"error: {error}", *error.lines[1:])))
        return 1
    if asked.json:
        sys.stdout.write(json.dumps(report.as_json(), ensure_ascii=False, indent=2) + "\n")
    else:
        sys.stdout.write("".join(f"{line}\n" for line in report.lines()))
    return 0 if report.sound else 1


if __name__ == "__main__":
    raise SystemExit(main())
