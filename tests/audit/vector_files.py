"""The vectors of exports, made anew by `python -m tests.audit.vector_files`; what is checked in is what this gives.

Each is a folder: the export, the key that is trusted, older checkpoints, and the findings that a verifier must give.
"""

from __future__ import annotations

import base64
import json
import shutil
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from tests.audit.export_builder import (
    Export,
    history,
    make_entry,
    note,
    signature_line,
    signing_key,
    subject_name,
    succession,
    verifier_key,
    with_lines,
    write,
)

VECTORS = Path(__file__).parent / "vectors"
WEI, LIN, ZOE = ("Student", 1), ("Student", 2), ("ChangeRequest", 3)
LINES = history([WEI, LIN, WEI, ZOE, LIN, WEI, WEI, LIN, ZOE, WEI, LIN, ZOE])
FIRST, SECOND = signing_key("first"), signing_key("second")
SOUND = Export(LINES)
ROTATED = replace(SOUND, keys=(FIRST, SECOND))


@dataclass(frozen=True)
class Vector:
    """The files of an export and what a verification finds in it; `agrees` tells of the checkpoints in their order."""

    files: dict[str, bytes]
    findings: list[dict[str, Any]] = field(default_factory=list)
    checkpoints: list[bytes] = field(default_factory=list)
    agrees: list[bool | None] = field(default_factory=list)
    trusted: str = SOUND.trusted

    def all_files(self) -> dict[str, bytes]:
        """Everything in the vector's folder."""
        expected = {"sound": not self.findings, "findings": self.findings, "agrees": self.agrees}
        return {
            **{f"export/{name}": content for name, content in self.files.items()},
            **{f"older/{number}": content for number, content in enumerate(self.checkpoints)},
            "trusted_key": f"{self.trusted}\n".encode(),
            "expected.json": json.dumps(expected, ensure_ascii=False, indent=1).encode() + b"\n",
        }


def _edited(index: int, before: bytes, after: bytes) -> list[bytes]:
    assert LINES[index].count(before) == 1
    return [*LINES[:index], LINES[index].replace(before, after), *LINES[index + 1 :]]


def _without(*indices: int) -> list[bytes]:
    return [line for index, line in enumerate(LINES) if index not in indices]


def _flipped(content: bytes, at: int) -> bytes:
    return content[:at] + bytes([content[at] ^ 1]) + content[at + 1 :]


def _other_signature(content: bytes) -> bytes:
    """The note with a signature that is well formed and wrong."""
    text, _, _ = content.decode().partition("\n\n")
    return f"{text}\n\n{signature_line('another text', FIRST)}".encode()


def _unknown_signatures(text: str) -> str:
    witness = signing_key("witness")
    odd = base64.b64encode(b"\0\1\2\3 of no known kind").decode()
    return signature_line(text, witness, "witness.example") + f"— other.example {odd}\n"


def _at(flaw: str, first: int, last: int | None = None, **told: Any) -> dict[str, Any]:
    return {"flaw": flaw, "first": first, "last": first if last is None else last, **told}


def _of(subject: tuple[str, int], sequence: int) -> dict[str, Any]:
    return {"subject": subject_name(subject), "sequence": sequence}


def vectors() -> dict[str, Vector]:
    """Each by its name."""
    sound = SOUND.files()
    forged, _ = make_entry(LIN, 4, "5" * 64, 99)
    gap = [*LINES[:9], make_entry(WEI, 6, "6" * 64, 9)[0], *LINES[10:]]
    other = replace(SOUND, lines=history([WEI, LIN, WEI, LIN, LIN, WEI]))
    rotated = ROTATED.files()
    return {
        "sound": Vector(sound, checkpoints=[SOUND.checkpoint(5), SOUND.checkpoint()], agrees=[True, True]),
        "sound_after_rotation": Vector(
            rotated, checkpoints=[SOUND.checkpoint(5), ROTATED.checkpoint(9)], agrees=[True, True]
        ),
        "sound_by_the_newest_key": Vector(
            rotated, trusted=verifier_key(SECOND), checkpoints=[SOUND.checkpoint(5)], agrees=[True]
        ),
        "sound_sm3": Vector(replace(SOUND, hash_name="sm3").files()),
        "sound_cosigned": Vector(
            sound | {"checkpoint": note(SOUND.text(), FIRST, others=_unknown_signatures(SOUND.text()))}
        ),
        "bad_signature": Vector(
            sound | {"checkpoint": _other_signature(sound["checkpoint"])},
            [{"flaw": "bad_signature", "file": "checkpoint"}],
        ),
        "another_key": Vector(
            replace(SOUND, keys=(SECOND,)).files(),
            [
                {"flaw": "bad_signature", "file": "keys/000"},
                {"flaw": "bad_signature", "file": "checkpoint"},
            ],
        ),
        "forged_succession": Vector(
            rotated | {"keys/001": succession(SECOND, SECOND)},
            [
                {"flaw": "bad_signature", "file": "keys/001"},
                {"flaw": "bad_signature", "file": "checkpoint"},
            ],
        ),
        "signed_by_the_older_key": Vector(
            rotated | {"checkpoint": SOUND.checkpoint()}, [{"flaw": "bad_signature", "file": "checkpoint"}]
        ),
        "malformed": Vector(
            with_lines(sound, [*LINES[:4], b"not an entry", *LINES[5:]]), [_at("malformed", 4, **_of(LIN, 2))]
        ),
        "malformed_checkpoint": Vector(
            sound | {"checkpoint": sound["checkpoint"].replace(b"\n12\n", b"\n012\n")},
            [{"flaw": "malformed", "file": "checkpoint"}],
        ),
        "changed": Vector(
            with_lines(sound, _edited(4, b"student.update", b"student.upgrad")),
            [_at("changed", 4, **_of(LIN, 2))],
        ),
        "missing": Vector(with_lines(sound, _without(5)), [_at("missing", 5, **_of(WEI, 3))]),
        "added": Vector(
            with_lines(sound, [*LINES[:9], forged, *LINES[9:]]),
            [{"flaw": "added", "line": 10, **_of(LIN, 4)}],
        ),
        "added_twice": Vector(
            with_lines(sound, [*LINES[:7], LINES[2], *LINES[7:]]),
            [{"flaw": "added", "line": 8, **_of(WEI, 2)}],
        ),
        "reordered": Vector(
            with_lines(sound, [*LINES[:5], LINES[8], *LINES[6:8], LINES[5], *LINES[9:]]),
            [_at("reordered", 5, line=9, **_of(WEI, 3)), _at("reordered", 8, line=6, **_of(ZOE, 2))],
        ),
        "truncated": Vector(with_lines(sound, LINES[:9]), [_at("truncated", 9, 11)]),
        "truncated_against_older": Vector(
            SOUND.cut(9).files(),
            [_at("truncated", 9, 11, file="older/0")],
            checkpoints=[SOUND.checkpoint()],
            agrees=[False],
        ),
        "forked": Vector(
            sound,
            [_at("forked", 3, 5, file="older/1")],
            checkpoints=[SOUND.checkpoint(3), other.checkpoint(6)],
            agrees=[True, False],
        ),
        "broken_chain": Vector(replace(SOUND, lines=gap).files(), [_at("broken_chain", 9, **_of(WEI, 6))]),
        "changed_tile": Vector(
            sound | {"tile/0/000.p/12": _flipped(sound["tile/0/000.p/12"], 100)},
            [{"flaw": "changed_tile", "file": "tile/0/000.p/12"}],
        ),
    }


def main() -> None:
    shutil.rmtree(VECTORS, ignore_errors=True)
    for name, vector in vectors().items():
        write(VECTORS / name, vector.all_files())


if __name__ == "__main__":
    main()
