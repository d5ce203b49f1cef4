"""A demo roster: invented students in the layout that schools use. The same seed gives the same roster."""

from __future__ import annotations

import io
import random
from collections.abc import Iterator
from datetime import date, timedelta

import xlsxwriter

from archive_store.imports.roster_columns import COLUMNS
from archive_store.people.rules import check_character

_SURNAMES = (
    "王李张刘陈杨黄赵吴周徐孙马朱胡郭何林高罗郑梁谢宋唐许邓冯韩曹曾彭萧蔡潘田董袁于余叶蒋杜苏魏程吕丁沈"
)
_PINYIN = [
    "wang",
    "li",
    "zhang",
    "liu",
    "chen",
    "yang",
    "huang",
    "zhao",
    "wu",
    "zhou",
    "xu",
    "sun",
    "ma",
    "zhu",
    "hu",
    "guo",
    "he",
    "lin",
    "gao",
    "luo",
    "zheng",
    "liang",
    "xie",
    "song",
    "tang",
    "xu",
    "deng",
    "feng",
    "han",
    "cao",
    "zeng",
    "peng",
    "xiao",
    "cai",
    "pan",
    "tian",
    "dong",
    "yuan",
    "yu",
    "yu",
    "ye",
    "jiang",
    "du",
    "su",
    "wei",
    "cheng",
    "lv",
    "ding",
    "shen",
]
_GIVEN = (
    ("晨", "chen"),
    ("雨桐", "yutong"),
    ("子涵", "zihan"),
    ("浩然", "haoran"),
    ("思远", "siyuan"),
    ("嘉怡", "jiayi"),
    ("梓萱", "zixuan"),
    ("明轩", "mingxuan"),
    ("静", "jing"),
    ("天佑", "tianyou"),
    ("欣怡", "xinyi"),
    ("博文", "bowen"),
    ("若曦", "ruoxi"),
    ("俊杰", "junjie"),
    ("诗涵", "shihan"),
    ("宇航", "yuhang"),
)
_DIVISIONS = (
    "110105",
    "310104",
    "440305",
    "510104",
    "330106",
    "420106",
    "320102",
    "610113",
    "350203",
    "370202",
)
_PLACES = ("北京市", "上海市", "广东省深圳市", "四川省成都市", "浙江省杭州市", "湖北省武汉市")
_ETHNIC_GROUPS = ("汉族",) * 18 + ("回族", "满族", "壮族")
CLASS_SIZE = 40


def demo_rows(students: int, *, cohort: int = 2023, seed: int = 1) -> Iterator[dict[str, str]]:
    """Rows as header to text; numbers are well formed and no two rows share one."""
    chance = random.Random(seed)  # noqa: S311 - invented people, not secrets
    first_birthday = date(cohort - 13, 9, 1)
    for number in range(1, students + 1):
        surname = chance.randrange(len(_SURNAMES))
        given, given_pinyin = chance.choice(_GIVEN)
        division = chance.choice(_DIVISIONS)
        is_male = number % 2 == 1
        # Sequence digits and birth date together hold the running number, so no number comes twice.
        sequence = f"{(number * 2 - is_male) % 1000:03}"
        birth = first_birthday + timedelta(days=(number * 7 + number // 500) % 365)
        seventeen = f"{division}{birth:%Y%m%d}{sequence}"
        identity = seventeen + check_character(seventeen)
        place = chance.choice(_PLACES)
        row = {
            "姓名": _SURNAMES[surname] + given,
            "性别": "男" if is_male else "女",
            "出生日期": f"{birth:%Y%m%d}",
            "出生地行政区划码": division,
            "籍贯": place,
            "民族": chance.choice(_ETHNIC_GROUPS),
            "国籍/地区": "中国",
            "身份证件类型": "居民身份证",
            "身份证件号": identity,
            "港澳台侨外": "否",
            "政治面貌": chance.choice(("少先队员", "共青团员", "群众")),
            "健康状况": chance.choice(("健康或良好",) * 9 + ("一般或较弱",)),
            "姓名拼音": _PINYIN[surname] + given_pinyin,
            "户口所在地行政区划码": division,
            "户口性质": chance.choice(("农业家庭户口", "非农业家庭户口")),
            "全国学籍号": f"G{identity}",
            "学籍辅号": f"{cohort}{number:06}",
            "班内学号": str((number - 1) % CLASS_SIZE + 1),
            "年级": "七年级",
            "班级": f"{cohort}级{(number - 1) // CLASS_SIZE + 1}班",
            "入学年月": f"{cohort}09",
            "入学方式": "就近入学",
            "就读方式": chance.choice(("走读", "住校")),
            "学生来源": "正常入学",
            "现住址": f"{place}示范路{chance.randrange(1, 400)}号",
            "联系电话": f"139{chance.randrange(10**8):08}",
            "邮政编码": f"{chance.randrange(100000, 999999)}",
            "电子信箱": f"student{number}@example.org",
            "是否独生子女": chance.choice(("是", "否")),
            "是否留守儿童": "否",
            "是否进城务工人员随迁子女": chance.choice(("是", "否", "否")),
            "是否孤儿": "否",
            "是否需要申请资助": chance.choice(("是", "否", "否", "否")),
        }
        for guardian, relation in ((1, "父亲"), (2, "母亲")):
            row[f"成员{guardian}姓名"] = chance.choice(_SURNAMES) + chance.choice(_GIVEN)[0]
            row[f"成员{guardian}关系"] = relation
            row[f"成员{guardian}联系电话"] = f"138{chance.randrange(10**8):08}"
            row[f"成员{guardian}工作单位"] = "示范有限公司"
        yield row


def demo_workbook(students: int, *, cohort: int = 2023, seed: int = 1) -> bytes:
    """The rows as an XLSX file."""
    buffer = io.BytesIO()
    with xlsxwriter.Workbook(buffer, {"in_memory": True}) as workbook:
        sheet = workbook.add_worksheet("学生基础信息")
        headers = [column.header for column in COLUMNS]
        sheet.write_row(0, 0, headers)
        for position, row in enumerate(demo_rows(students, cohort=cohort, seed=seed), start=1):
            for place, header in enumerate(headers):
                if header in row:
                    sheet.write_string(position, place, row[header])
    return buffer.getvalue()
