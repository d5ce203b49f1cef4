"""The demo school: a person for every role, a roster and a few papers, all entered by real operations."""

from __future__ import annotations

import io
from collections.abc import AsyncIterator
from typing import Any

from PIL import Image, ImageDraw

from api.cli.install import FirstPeople, install_people
from api.dev.candidates import load_demo_candidates
from api.dev.roster import demo_workbook
from archive_store.access.rules import Scope
from archive_store.access.viewer import Viewer
from archive_store.foundation.posts import Post
from archive_store.foundation.store import Store
from archive_store.imports.operations import import_roster
from archive_store.people.operations import is_installed
from archive_store.people.sign_in import load_viewer
from archive_store.scans.queries import scans_by_student
from archive_store.scans.uploads import file_scan
from archive_store.students.accounts import link_account, link_guardian_account
from archive_store.students.queries import list_students

COHORT = 2023
SINCE = "2023-08-01"
STUDENT_SUBJECT = "student"
GUARDIAN_SUBJECT = "guardian"
# sub of the token, name, post, more of the post
STAFF: tuple[tuple[str, str, Post, dict[str, Any]], ...] = (
    ("director", "赵主任", Post.DIRECTOR, {}),
    ("deputy-1", "钱副主任", Post.DEPUTY_DIRECTOR, {"businessLine": "在读管理"}),
    ("deputy-2", "孙副主任", Post.DEPUTY_DIRECTOR, {"businessLine": "档案管理"}),
    ("information", "李信息", Post.INFORMATION_GROUP, {}),
    ("analysis", "周分析", Post.ANALYSIS_GROUP, {}),
    ("archive", "吴档案", Post.ARCHIVE_GROUP, {}),
    ("vice-principal", "郑副校长", Post.VICE_PRINCIPAL, {}),
    ("principal", "王校长", Post.PRINCIPAL, {}),
    ("academic-affairs", "冯教务", Post.ACADEMIC_AFFAIRS, {}),
    ("admissions", "陈招生", Post.ADMISSIONS, {}),
    ("logistics", "褚后勤", Post.LOGISTICS, {}),
    (
        "teacher",
        "卫老师",
        Post.TEACHER,
        {"classNames": [f"{COHORT}级2班"], "homeroomClassNames": [f"{COHORT}级1班"]},
    ),
)
SERVICE_SUBJECT = "service"


async def load_demo_school(store: Store, students: int) -> None:
    """Load what is not there yet, so that a load that was broken off is taken up again."""
    if not await is_installed(store):
        await install_people(store, FirstPeople.model_validate({"people": demo_people()}))
    information = await _viewer(store, "information")
    first = 3
    page = await list_students(store, information, frozenset({"class_name"}), first=first)
    if not page.page.rows:
        roster = demo_workbook(students, cohort=COHORT)
        name = f"{COHORT}级新生花名册.xlsx"
        await import_roster(store, information, roster, file_name=name, dry_run=False)
        page = await list_students(store, information, frozenset({"class_name"}), first=first)
    rows = page.page.rows
    if await load_viewer(store, STUDENT_SUBJECT) is None:
        await link_account(store, rows[0]["_id"], STUDENT_SUBJECT)
    if await load_viewer(store, GUARDIAN_SUBJECT) is None:
        await link_guardian_account(store, rows[0]["_id"], 0, GUARDIAN_SUBJECT)
    archive = await _viewer(store, "archive")
    scans = await scans_by_student(store, archive, [row["_id"] for row in rows])
    for row, (name, content), filed in zip(rows, _papers(), scans, strict=False):
        if not filed:
            await file_scan(store, archive, row["_id"], name, _body(content))
    subjects = ("academic-affairs", "admissions", "archive", "information")
    viewers = {subject: await _viewer(store, subject) for subject in subjects}
    await load_demo_candidates(store, viewers, demo_paper("PDF", pages=1), cohort=COHORT + 3)


async def _viewer(store: Store, subject: str) -> Viewer:
    viewer = await load_viewer(store, subject)
    if viewer is None:
        raise LookupError(f"the demo school has no {subject}")
    return viewer


def demo_people() -> list[dict[str, Any]]:
    def person(subject: str, name: str, post: Post, more: dict[str, Any]) -> dict[str, Any]:
        held = {"post": post, "from": SINCE, "qualified": True, "confidentialityUndertaken": True, **more}
        return {"name": name, "signInSubject": subject, "posts": [held]}

    service = person(SERVICE_SUBJECT, "教务系统", Post.ACADEMIC_AFFAIRS, {})
    return [*(person(*staff) for staff in STAFF), {**service, "service": True, "scopes": list(Scope)}]


def _papers() -> tuple[tuple[str, bytes], ...]:
    return (
        (f"{COHORT}级新生学籍信息表.pdf", demo_paper("PDF", pages=3)),
        (f"{COHORT}级第2批户口簿.tiff", demo_paper("TIFF", pages=2)),
        (f"{COHORT}级体检表.jpg", demo_paper("JPEG", pages=1)),
    )


def demo_paper(kind: str, *, pages: int) -> bytes:
    """A scan of invented paper: A4 at 100 dpi, as PDF, TIFF or JPEG."""
    images = []
    for number in range(1, pages + 1):
        image = Image.new("L", (827, 1169), 255)
        draw = ImageDraw.Draw(image)
        draw.rectangle((60, 60, 767, 1109), outline=0, width=3)
        for line in range(12):
            draw.line((100, 160 + 70 * line, 727, 160 + 70 * line), fill=128, width=2)
        draw.text((100, 90), f"Registrar demo paper, page {number} of {pages}", fill=0)
        images.append(image)
    buffer = io.BytesIO()
    if pages > 1:
        images[0].save(buffer, kind, save_all=True, append_images=images[1:])
    else:
        images[0].save(buffer, kind)
    return buffer.getvalue()


async def _body(content: bytes) -> AsyncIterator[bytes]:
    yield content
