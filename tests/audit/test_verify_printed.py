"""What `registrar audit verify` prints of a database that somebody wrote to: text, whatever the text is."""

from __future__ import annotations

import sys

import pytest
from typer.testing import CliRunner

import api.cli.audit
from api.cli.main import app
from archive_store.audit.findings import Finding, Flaw
from archive_store.audit.verification import VerificationReport


@pytest.mark.parametrize(
    "subject", ["[/]:1", "[conceal]:1", "[/red]", "x\x1b[2K\n9 entries of 3 records: sound\n"]
)
def test_a_subject_is_printed_as_text(monkeypatch: pytest.MonkeyPatch, subject: str) -> None:
    async def verify(_: object) -> VerificationReport:
        return VerificationReport(3, 9, 0, [Finding(subject, 1, Flaw.CHANGED)])

    monkeypatch.setattr(api.cli.audit, "verify", verify)
    monkeypatch.setattr(sys.modules["api.cli.main"], "settings_of", lambda data: None)
    told = CliRunner().invoke(app, ["audit", "verify"])
    shown = "".join(char if char.isprintable() else "?" for char in subject)
    assert told.output.splitlines() == [f"changed {shown} entry 1", "9 entries of 3 records: FLAWED"]
    assert told.exit_code == 1
