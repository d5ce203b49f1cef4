"""The line of a log's keys: which of them the key that is trusted vouches for."""

from __future__ import annotations

from archive_store.verifier.export_files import ExportFolder
from archive_store.verifier.findings import Finding, Flaw, MalformedError
from archive_store.verifier.notes import LONGEST_NOTE, Note, VerifierKey, parse_succession

MOST_KEYS = 1000
_LONGEST_KEY = 1 << 16


class KeyLine:
    """Keys from the first to the newest, as far as signatures join them to the one that is trusted.

    What the trusted key signs is trusted forward. A key before it vouches for nothing new: it may only have signed
    older checkpoints, which can be held against an export but never for it.
    """

    def __init__(self, export: ExportFolder, trusted: VerifierKey) -> None:
        self.findings: list[Finding] = []
        self.keys = [trusted]
        first = self._first_key(export)
        named: list[tuple[str, Note, VerifierKey] | None] = []
        for number in range(1, MOST_KEYS):
            name = f"keys/{number:03d}"
            try:
                content = export.read(name, LONGEST_NOTE)
                if content is None:
                    break
                named.append((name, *self._succession(content, trusted.name)))
            except MalformedError as error:
                self._tell(Flaw.MALFORMED, name, str(error))
                named.append(None)
        self._join(first, named, trusted)

    @property
    def newest(self) -> VerifierKey:
        return self.keys[-1]

    def _tell(self, flaw: Flaw, file: str, detail: str) -> None:
        self.findings.append(Finding(flaw, file=file, detail=detail))

    def _first_key(self, export: ExportFolder) -> VerifierKey | None:
        try:
            content = export.read("keys/000", _LONGEST_KEY)
            if content is None:
                raise MalformedError("it is not there")
            if not content.endswith(b"\n"):
                raise MalformedError("it is not one line")
            return VerifierKey.parse(content[:-1].decode("utf-8"))
        except UnicodeDecodeError:
            self._tell(Flaw.MALFORMED, "keys/000", "it is not UTF-8")
        except MalformedError as error:
            self._tell(Flaw.MALFORMED, "keys/000", str(error))
        return None

    @staticmethod
    def _succession(content: bytes, origin: str) -> tuple[Note, VerifierKey]:
        note = Note.parse(content)
        told, key = parse_succession(note.text)
        if told != origin or key.name != origin:
            raise MalformedError("it is of another log")
        return note, key

    def _join(
        self,
        first: VerifierKey | None,
        named: list[tuple[str, Note, VerifierKey] | None],
        trusted: VerifierKey,
    ) -> None:
        """Go through the successions; a key that is not signed for begins a line of its own until the trusted one."""
        has_met = first == trusted
        before: list[VerifierKey] = [] if has_met or first is None else [first]
        if first is not None and not has_met and all(each is None or each[2] != trusted for each in named):
            self._tell(Flaw.BAD_SIGNATURE, "keys/000", "the trusted key is not among the keys of the export")
            has_met, before = True, []
        has_met = has_met or all(each is None or each[2] != trusted for each in named)
        for each in named:
            line = self.keys if has_met else before
            if each is None:
                if has_met:
                    return
                before = []
                continue
            file, note, key = each
            is_signed = bool(line) and note.is_signed_by(line[-1])
            if line and not is_signed:
                self._tell(Flaw.BAD_SIGNATURE, file, "the key before did not sign it")
            if has_met:
                if not is_signed:
                    return
                self.keys.append(key)
            elif key == trusted:
                has_met = True
                self.keys = [*(before if is_signed else []), trusted]
            else:
                before = [*before, key] if is_signed else [key]
