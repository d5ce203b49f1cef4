"""What a certificate says, line by line in Chinese and English: on the printed paper and on the public page. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from archive_store.certificates.documents import CertificateKind, CertificateState
from archive_store.certificates.rules import KIND_NAMES


class Line(NamedTuple):
    """A label in both languages, and the value in each."""

    label_zh: str
    label_en: str
    zh: str
    en: str


_GENDERS = {"1": ("男", "Male"), "2": ("女", "Female")}
STAGES = {
    "PRIMARY": ("小学", "Primary school"),
    "JUNIOR": ("初中", "Junior secondary school"),
    "SENIOR": ("普通高中", "Senior secondary school"),
    "VOCATIONAL": ("中等职业教育", "Secondary vocational education"),
    "UNDERGRAD": ("本专科", "Undergraduate education"),
    "POSTGRAD": ("研究生", "Postgraduate education"),
    "SPECIAL": ("特殊教育", "Special education"),
}
STATES = {
    CertificateState.VALID: ("有效", "Valid"),
    CertificateState.REVOKED: ("已撤销", "Revoked"),
    CertificateState.SUPERSEDED: ("已补发或换发,此证作废", "Superseded by a reissued certificate"),
}


def title_of(kind: str) -> tuple[str, str]:
    return KIND_NAMES[CertificateKind(kind)]


def lines_of(number: str, paper: Mapping[str, Any]) -> list[Line]:
    """`paper` as it is stored."""
    gender = _GENDERS.get(paper["gender"], ("未说明", "Not stated"))
    stage = STAGES[paper["stage"]]
    period = f"{paper['studied_from']} – {paper['studied_until']}"
    lines = [
        Line("证书编号", "Certificate number", number, number),
        Line("姓名", "Name", paper["name"], paper["name"]),
        Line("性别", "Gender", *gender),
        Line("出生日期", "Date of birth", paper["birth_date"], paper["birth_date"]),
        Line("学习起止年月", "Period of study", period, period),
        Line("学校", "School", paper["school_name"], paper["school_name"]),
        Line("学段", "Stage", *stage),
        Line("专业", "Programme", paper["programme"] or "", paper["programme"] or ""),
        Line("发证日期", "Date of issue", paper["issued_on"], paper["issued_on"]),
    ]
    return [line for line in lines if line.zh]
