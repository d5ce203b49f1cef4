"""File names by policy §三(二): `{cohort}级[第{batch}批]{document type}[-{student number}]`, pure.

The policy's own example, 2023级新生学籍信息表, names no batch: a missing batch is the first. For a name that breaks the
rule there are suggestions; nothing is renamed by itself, an archivist chooses.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from enum import StrEnum
from typing import Literal
from urllib.parse import quote

from archive_store.foundation.errors import ErrorCode, Message, RegistrarError
from archive_store.foundation.texts import BLANK_LETTERS
from archive_store.inspection.media_types import EXTENSIONS

RULE = "policy §三(二)"
LENGTH_LIMIT = 120
# What a file system, a header or a page reads otherwise, and `_`, which would make a number part of the type.
_FORBIDDEN = '/\\.<>:"|?*;%_'
_COHORT = r"(?P<cohort>[0-9]{4})级"
_BATCH = r"(?:第(?P<batch>[1-9][0-9]{0,2})批)?"
_NUMERAL = "[零〇○一二三四五六七八九两十百]"
# A batch that is not where it belongs, or not as it is written, is no part of the type.
_STRAY_BATCH = rf"第[0-9]|.*第\s*(?:[0-9]|{_NUMERAL}){{1,5}}\s*批"
_TYPE = rf"(?P<type>(?!{_STRAY_BATCH})[^\W\d_][^-\s{re.escape(_FORBIDDEN)}]{{0,60}}?)"
_NAME = re.compile(rf"{_COHORT}{_BATCH}{_TYPE}(?:-(?P<number>[0-9A-Za-z]{{1,30}}))?")
_UP_TO_BATCH = re.compile(_COHORT + _BATCH)
_UP_TO_TYPE = re.compile(_COHORT + _BATCH + _TYPE)
_EXTENSIONS = (*EXTENSIONS.values(), ".tiff", ".jpeg")

SUGGESTIONS_LIMIT = 5
_LONGEST_READ = 300
_DIGITS = {digit: value for value, digits in enumerate("零一二三四五六七八九") for digit in digits}
_DIGITS |= {"〇": 0, "○": 0, "两": 2}
# The year of graduation, and school years: a cohort is read from neither.
_OTHER_YEARS = re.compile(r"[0-9]{4}届|[0-9]{4}\s*[-—~至]\s*[0-9]{4}(?:学年度?)?|[0-9]{4}学年度?")
_COHORTS = (
    re.compile(r"(?<![0-9])((?:19|20)[0-9]{2})\s*年?\s*级"),
    re.compile(rf"({_NUMERAL}{{4}})级"),
    re.compile(r"(?<![0-9])([0-9]{2})级"),
    re.compile(r"(?<![0-9A-Za-z])((?:19|20)[0-9]{2})年?(?![0-9A-Za-z])"),
)
_BATCHES = (
    re.compile(rf"第\s*([0-9]{{1,4}}|{_NUMERAL}{{1,5}})\s*批次?"),
    re.compile(rf"([0-9]{{1,3}}|{_NUMERAL}{{1,5}})批次?"),
    re.compile(r"批次?\s*[-_:#]?\s*([0-9]{1,3})"),
)
_NUMBER = re.compile(r"(?<![0-9A-Za-z])(?=[A-Za-z]*[0-9])[0-9A-Za-z]{5,30}(?=[)\]】\s]*$)")
_COPY = re.compile(r"\([0-9]{1,2}\)\s*$")
_ANY_EXTENSIONS = re.compile(r"(?:\.[0-9A-Za-z]{1,4})+$")
# Whatever separates words, or encloses them.
_SEPARATORS = re.compile(r"[\W_]+")


class FileNameFault(StrEnum):
    """The part of a name that breaks the rule."""

    TOO_LONG = "TOO_LONG"
    FORBIDDEN_CHARACTER = "FORBIDDEN_CHARACTER"
    COHORT_MISSING = "COHORT_MISSING"
    BATCH_MALFORMED = "BATCH_MALFORMED"
    TYPE_MISSING = "TYPE_MISSING"
    STUDENT_NUMBER = "STUDENT_NUMBER"


FAULTS = {
    FileNameFault.TOO_LONG: Message(
        "名称或其中的文件类型过长", "the name, or the document type in it, is too long"
    ),
    FileNameFault.FORBIDDEN_CHARACTER: Message(
        f"含有不允许的字符({_FORBIDDEN} 空格、控制字符或异体兼容字)",
        f"it has a character that is not allowed ({_FORBIDDEN} a blank, a control or a compatibility character)",
    ),
    FileNameFault.COHORT_MISSING: Message(
        "缺少年级,应以四位年份和“级”开头",
        "the cohort is missing: it must start with a year of four digits and 级",
    ),
    FileNameFault.BATCH_MALFORMED: Message(
        "批次格式不对,应为“第2批”,用阿拉伯数字",
        "the batch is malformed: it is written 第2批, in Arabic digits",
    ),
    FileNameFault.TYPE_MISSING: Message(
        "缺少文件类型,或其不以文字开头", "the document type is missing, or starts with no letter"
    ),
    FileNameFault.STUDENT_NUMBER: Message(
        "学号不是该学生的,或格式不对", "the student number is not this student's, or is malformed"
    ),
}


@dataclass(frozen=True, slots=True)
class PolicyFileName:
    """The parts of a name; `batch` counts from 1."""

    cohort: int
    batch: int
    document_type: str
    student_number: str | None = None

    def __str__(self) -> str:
        batch = "" if self.batch == 1 else f"第{self.batch}批"
        number = "" if self.student_number is None else f"-{self.student_number}"
        return f"{self.cohort}级{batch}{self.document_type}{number}"


def parse_file_name(
    name: str,
    *,
    cohort: int | None = None,
    document_types: Collection[str] = (),
    student_number: str | None = None,
) -> PolicyFileName:
    """The parts of a policy name, with or without a scan's extension.

    INVALID_FILE_NAME for any other, with its fault and what `suggest_file_names` makes of it.
    """
    found = find_parts(name)
    if isinstance(found, FileNameFault):
        raise invalid_file_name(
            found,
            suggest_file_names(
                name, cohort=cohort, document_types=document_types, student_number=student_number
            ),
        )
    return found


def find_parts(name: str) -> PolicyFileName | FileNameFault:
    """The parts of a policy name, with or without a scan's extension, or what is wrong with any other name."""
    stem = _stem(name)
    found = _NAME.fullmatch(stem) if len(stem) <= LENGTH_LIMIT and _reads_as_written(stem) else None
    if found is None:
        return _fault_of(stem)
    return PolicyFileName(
        cohort=int(found["cohort"]),
        batch=int(found["batch"] or 1),
        document_type=found["type"],
        student_number=found["number"],
    )


def _stem(name: str) -> str:
    """The name without blanks around it and without a scan's extension."""
    stem = name.strip()
    for extension in _EXTENSIONS:
        if stem.lower().endswith(extension):
            return stem[: -len(extension)]
    return stem


def _reads_as_written(stem: str) -> bool:
    """Whether no character is unseen, or looks as another does: a type that reads as a sealed one must be it."""
    return stem.isprintable() and not any(
        unicodedata.category(char) in ("Mn", "Me")
        or char in BLANK_LETTERS
        or (char.isalpha() and not char.isascii() and unicodedata.normalize("NFKC", char) != char)
        for char in stem
    )


def _fault_of(stem: str) -> FileNameFault:
    if len(stem) > LENGTH_LIMIT:
        return FileNameFault.TOO_LONG
    if not _reads_as_written(stem) or re.search(rf"[\s{re.escape(_FORBIDDEN)}]", stem):
        return FileNameFault.FORBIDDEN_CHARACTER
    begun = _UP_TO_BATCH.match(stem)
    if begun is None:
        return FileNameFault.COHORT_MISSING
    rest = stem[begun.end() :]
    if re.match(_STRAY_BATCH, rest):
        return FileNameFault.BATCH_MALFORMED
    if _UP_TO_TYPE.match(stem) is None:
        return FileNameFault.TYPE_MISSING
    return FileNameFault.STUDENT_NUMBER if "-" in rest else FileNameFault.TOO_LONG


def invalid_file_name(fault: FileNameFault, suggestions: Sequence[str] = ()) -> RegistrarError:
    """INVALID_FILE_NAME; `fault` and `suggestions` are in its details, too."""
    shown = list(suggestions)
    return RegistrarError(
        ErrorCode.INVALID_FILE_NAME,
        field="file_name",
        rule=RULE,
        fault=fault,
        suggestions=shown,
        fault_zh=FAULTS[fault].zh,
        fault_en=FAULTS[fault].en,
        suggested_zh=f"建议:{'、'.join(shown)}。" if shown else "",
        suggested_en=f" Suggested: {', '.join(shown)}." if shown else "",
    )


def suggest_file_names(
    name: str,
    *,
    cohort: int | None = None,
    document_types: Collection[str] = (),
    student_number: str | None = None,
) -> list[str]:
    """Conforming names, the most probable first, SUGGESTIONS_LIMIT at most; none where the name tells too little.

    What the name says goes before `cohort`, the student's own, but no other student's number is suggested where
    `student_number`, the student's, is known. `document_types` are those that the school's policy lists.
    """
    found = find_parts(name)
    if isinstance(found, PolicyFileName):
        return [str(found)]
    text = _readable(name)
    text, number = _take_number(text, student_number)
    text = _OTHER_YEARS.sub(" ", text)
    text, told = _take(text, _COHORTS)
    text, batch = _take(text, _BATCHES)
    suggestions: dict[str, None] = {}
    for year in dict.fromkeys([_cohort(told), cohort] if told else [cohort]):
        if year is None:
            continue
        for document_type in _types(_SEPARATORS.sub("", text), document_types):
            for shown in dict.fromkeys((number, None)):
                parts = PolicyFileName(year, _numeral(batch) if batch else 1, document_type, shown)
                if find_parts(str(parts)) == parts:
                    suggestions[str(parts)] = None
    return list(suggestions)[:SUGGESTIONS_LIMIT]


def _readable(name: str) -> str:
    """Full-width signs as ASCII, no invisible signs, no folders, no extension of any kind."""
    text = unicodedata.normalize("NFKC", name[:_LONGEST_READ]).replace("級", "级")
    text = "".join(sign for sign in text if unicodedata.category(sign)[0] != "C")
    text = re.split(r"[/\\]", text.strip())[-1]
    return _COPY.sub("", _ANY_EXTENSIONS.sub("", _stem(text)).strip())


def _take_number(text: str, student_number: str | None) -> tuple[str, str | None]:
    if student_number and student_number in text:
        return text.replace(student_number, " "), student_number
    if found := _NUMBER.search(text):
        return text[: found.start()], student_number or found[0]
    return text, None


def _take(text: str, patterns: tuple[re.Pattern[str], ...]) -> tuple[str, str | None]:
    """The text without what the first pattern found, and that."""
    for pattern in patterns:
        if found := pattern.search(text):
            return f"{text[: found.start()]} {text[found.end() :]}", found[1]
    return text, None


def _cohort(told: str) -> int | None:
    year = int("".join(str(_DIGITS.get(digit, digit)) for digit in told if digit not in "十百") or 0)
    year += 2000 if year < 100 else 0
    return year if 1900 <= year < 2100 else None


def _numeral(told: str) -> int:
    """Of Arabic digits, or of Chinese numerals below a thousand."""
    if told.isdecimal():
        return int(told)
    total = current = 0
    for sign in told:
        if sign in _DIGITS:
            current = _DIGITS[sign]
        else:
            total += (current or 1) * {"十": 10, "百": 100}[sign]
            current = 0
    return total + current


def _types(text: str, known: Collection[str]) -> Iterator[str]:
    if not text:
        return
    yield from sorted((each for each in known if each in text), key=lambda each: (-len(each), each))
    yield from get_close_matches(text, sorted(known))
    yield text


def download_name(
    file_name: str | None, media_type: str, *, disposition: Literal["attachment", "inline"] = "attachment"
) -> str:
    """The value of Content-Disposition (RFC 6266): the Chinese name by RFC 8187, beside one in ASCII for old readers.

    `file_name` is without an extension, None where the viewer may not know it. The extension is of what the content
    is, whatever the file was called where it came from.
    """
    extension = EXTENSIONS.get(media_type, "")
    value = f'{disposition}; filename="scan{extension}"'
    if file_name is None:
        return value
    return f"{value}; filename*=UTF-8''{quote(file_name + extension, safe='', errors='replace')}"
