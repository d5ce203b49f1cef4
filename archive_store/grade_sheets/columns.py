"""The columns of a grade sheet (成绩单), in the spellings that are known, and what its cells may say. Pure."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping, Sequence
from enum import StrEnum

from archive_store.academics.documents import GradeStatus, GradingScheme
from archive_store.foundation.errors import ErrorCode, RegistrarError
from archive_store.imports.column_mapping import header_not_found


class SheetColumn(StrEnum):
    """The columns there are, by the heading of the template."""

    NUMBER = "学号"
    NAME = "姓名"
    SCORE = "成绩"
    STATUS = "备注"


REQUIRED = (SheetColumn.NUMBER, SheetColumn.NAME, SheetColumn.SCORE)
_SPELLINGS: Mapping[SheetColumn, str] = {
    SheetColumn.NUMBER: "学号 学籍辅号 学生学号 studentnumber studentno studentid number",
    SheetColumn.NAME: "姓名 学生姓名 名字 name studentname fullname",
    SheetColumn.SCORE: "成绩 分数 得分 总评 总评成绩 score grade mark",
    SheetColumn.STATUS: "备注 状态 成绩状态 考试状态 说明 status remark remarks note",
}
_BY_SPELLING = {word: column for column, words in _SPELLINGS.items() for word in words.split()}
_NOT_SAID = re.compile(r"[\W_]+")
_NAME_SHOWN = 50
_STATUSES: Mapping[GradeStatus, str] = {
    GradeStatus.ENTERED: "正常 已录入 entered normal",
    GradeStatus.ABSENT: "缺考 旷考 absent",
    GradeStatus.DEFERRED: "缓考 deferred",
}
_BY_STATUS = {word: status for status, words in _STATUSES.items() for word in words.split()}
_LEVELS: Mapping[GradingScheme, Mapping[str, str]] = {
    GradingScheme.PERCENT: {},
    GradingScheme.FIVE_LEVEL: {"优秀": "A", "良好": "B", "中等": "C", "及格": "D", "不及格": "F"},
    GradingScheme.PASS_FAIL: {"合格": "P", "不合格": "F"},
}


def known_columns(headers: Sequence[str]) -> int:
    """How many columns of a grade sheet the headers name: what tells its header row."""
    return len({column for header in headers if (column := _column_of(header))})


def columns_of(headers: Sequence[str], *, searched: int) -> dict[SheetColumn, int]:
    """Where each column stands, in whatever order.

    HEADER_NOT_FOUND where a required one is missing, UNKNOWN_COLUMN and DUPLICATE_COLUMN by name.
    """
    places: dict[SheetColumn, int] = {}
    named = [(place, header, _column_of(header)) for place, header in enumerate(headers) if header]
    if missing := [column for column in REQUIRED if column not in {held for _, _, held in named}]:
        raise header_not_found(searched, missing)
    for place, header, column in named:
        if column is None:
            raise RegistrarError(ErrorCode.UNKNOWN_COLUMN, field="file", name=header[:_NAME_SHOWN])
        if column in places:
            raise RegistrarError(ErrorCode.DUPLICATE_COLUMN, field="file", name=header[:_NAME_SHOWN])
        places[column] = place
    return places


def _column_of(header: str) -> SheetColumn | None:
    if not 0 < len(header) <= _NAME_SHOWN:
        return None
    return _BY_SPELLING.get(_NOT_SAID.sub("", header).casefold())


def status_of(text: str) -> GradeStatus | None:
    """The status of a remark; ENTERED of a blank one, None of one that says no status."""
    return _BY_STATUS.get(text.casefold()) if text else GradeStatus.ENTERED


def level_of(scheme: GradingScheme, text: str) -> str:
    """The code of a level that is written out (优秀); any other text as it is."""
    return _LEVELS[scheme].get(text, text)


def same_name(told: str, held: str) -> bool:
    """Whether two spellings are of one name: blanks, dots (买买提·艾力) and full-width letters make no difference."""
    return _plain_name(told) == _plain_name(held)


def _plain_name(name: str) -> str:
    return _NOT_SAID.sub("", unicodedata.normalize("NFKC", name)).casefold()
