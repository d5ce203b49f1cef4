"""The words of charts and workbooks, in Chinese and English."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from archive_store.analysis.dimensions import StudentDimension
from archive_store.foundation.code_tables import code_table, code_tables
from archive_store.statistics.flows import StudentFlow
from archive_store.statistics.grade_rules import GradeBand
from archive_store.students.documents import STATUS_LABELS, StudentStatus


class Language(StrEnum):
    """What a chart or a workbook is written in."""

    ZH = "zh"
    EN = "en"


@dataclass(frozen=True, slots=True)
class Words:
    """A text in both languages."""

    zh: str
    en: str

    def of(self, language: Language) -> str:
        return self.zh if language is Language.ZH else self.en


PERIOD = Words("期间", "Period")
MONTH = Words("月份(月末)", "Month (its last day)")
FLOW = Words("流动", "Flow")
TERM = Words("学期", "Term")
COURSE = Words("课程", "Course")
COUNT = Words("人数", "Students")
FLOWS_COUNT = Words("人次", "Students who flowed")
GRADES_COUNT = Words("成绩数", "Grades")
PASS_RATE = Words("及格率", "Pass rate")
MEAN = Words("平均分", "Mean")
MEDIAN = Words("中位数", "Median")
STUDENTS_TITLE = Words("在册学生统计", "Students on record")
FLOWS_TITLE = Words("学籍流动", "Flows of students")
STOCKS_TITLE = Words("在册数趋势", "Students on record by month")
GRADES_TITLE = Words("成绩分布", "Grade distribution")
OF_TODAY = Words(
    "除状态外,各维度以当前档案为准。", "Dimensions other than the status are of the record today."
)
REGULAR = Words("正考成绩。", "Regular exams.")
NO_VALUE = Words("(未填)", "(none)")
DATA_SHEET = Words("数据", "Data")
CHART_SHEET = Words("图表", "Chart")
HIDDEN = "*"


def hidden_note(smallest: int) -> Words:
    return Words(
        f"{HIDDEN} 已隐去:少于 {smallest},或可由此推算出少于 {smallest} 的数。",
        f"{HIDDEN} suppressed: below {smallest}, or a number below {smallest} could be reckoned from it.",
    )


DIMENSIONS: Mapping[StudentDimension, Words] = {
    StudentDimension.GENDER: Words("性别", "Gender"),
    StudentDimension.BIRTH_YEAR: Words("出生年", "Year of birth"),
    StudentDimension.ETHNIC_GROUP: Words("民族", "Ethnic group"),
    StudentDimension.NATIONALITY: Words("国籍/地区", "Nationality"),
    StudentDimension.OVERSEAS_STATUS: Words("港澳台侨外", "Overseas status"),
    StudentDimension.POLITICAL_STATUS: Words("政治面貌", "Political status"),
    StudentDimension.HOUSEHOLD_TYPE: Words("户口性质", "Household type"),
    StudentDimension.STATUS: Words("学籍状态", "Status"),
    StudentDimension.GRADE: Words("年级", "Grade"),
    StudentDimension.CLASS_NAME: Words("班级", "Class"),
    StudentDimension.ENROLLED_MONTH: Words("入学年月", "Month of entrance"),
    StudentDimension.ADMISSION_METHOD: Words("入学方式", "Way of admission"),
    StudentDimension.BOARDING: Words("就读方式", "Boarding"),
    StudentDimension.STUDENT_SOURCE: Words("学生来源", "Source"),
}
FLOWS: Mapping[StudentFlow, Words] = {
    StudentFlow.ENTER: Words("入学", "Entered"),
    StudentFlow.TRANSFER_IN: Words("转入", "Transferred in"),
    StudentFlow.SUSPEND: Words("休学", "Suspended"),
    StudentFlow.RESUME: Words("复学", "Resumed"),
    StudentFlow.RETAIN_STATUS: Words("保留学籍", "Status retained"),
    StudentFlow.HALT: Words("停学", "Study halted"),
    StudentFlow.DROP_OUT: Words("辍学", "Dropped out"),
    StudentFlow.REPEAT: Words("留级", "Repeated"),
    StudentFlow.SKIP: Words("跳级", "Skipped a grade"),
    StudentFlow.CHANGE_MAJOR: Words("转专业", "Changed major"),
    StudentFlow.TRANSFER_OUT: Words("转出", "Transferred out"),
    StudentFlow.WITHDRAW: Words("退学", "Withdrew"),
    StudentFlow.EXPEL: Words("开除学籍", "Expelled"),
    StudentFlow.REINSTATE: Words("恢复学籍", "Reinstated"),
    StudentFlow.DEFER_ADMISSION: Words("保留入学资格", "Admission deferred"),
    StudentFlow.CANCEL: Words("取消入学资格/学籍", "Cancelled"),
    StudentFlow.VOID: Words("注销", "Voided"),
    StudentFlow.DIE: Words("死亡", "Died"),
    StudentFlow.GRADUATE: Words("毕业", "Graduated"),
    StudentFlow.COMPLETE: Words("结业", "Completed"),
    StudentFlow.LEAVE_INCOMPLETE: Words("肄业", "Left incomplete"),
}
BANDS: Mapping[GradeBand, Words] = {
    GradeBand.FROM_90: Words("90分及以上", "90 and more"),
    GradeBand.FROM_80: Words("80–89分", "80–89"),
    GradeBand.FROM_70: Words("70–79分", "70–79"),
    GradeBand.FROM_60: Words("60–69分", "60–69"),
    GradeBand.BELOW_60: Words("60分以下", "below 60"),
    GradeBand.LEVEL_A: Words("优秀", "A"),
    GradeBand.LEVEL_B: Words("良好", "B"),
    GradeBand.LEVEL_C: Words("中等", "C"),
    GradeBand.LEVEL_D: Words("及格", "D"),
    GradeBand.LEVEL_P: Words("合格", "Passed"),
    GradeBand.LEVEL_F: Words("不及格", "Failed"),
    GradeBand.ABSENT: Words("缺考", "Absent"),
    GradeBand.DEFERRED: Words("缓考", "Deferred"),
}


def status_words(status: str) -> Words:
    held = StudentStatus(status)
    return Words(STATUS_LABELS[held], held.name.replace("_", " ").capitalize())


def value_text(dimension: StudentDimension, value: object, language: Language) -> str:
    """A value of a cell as it is shown: the label of a code, and the code where the table no longer has it."""
    if value is None:
        return NO_VALUE.of(language)
    if dimension is StudentDimension.STATUS:
        return status_words(str(value)).of(language)
    if dimension.path in code_tables():
        for entry in code_table(dimension.path).entries:
            if entry.code == value:
                return entry.zh if language is Language.ZH else entry.en
    return str(value)
