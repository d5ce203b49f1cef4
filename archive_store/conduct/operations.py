"""The tables of this room: its record types, operations and jobs, as the archive opens them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from archive_store.approvals.operation import Operation
from archive_store.conduct.appeal_decisions import (
    APPEAL_DECIDE,
    APPEAL_RECORD_ANSWER,
    APPEAL_RECORD_PROVINCIAL,
)
from archive_store.conduct.appeals import APPEAL_APPOINT, APPEAL_EXTEND, APPEAL_FILE
from archive_store.conduct.awards import AWARD_RECORD, AWARD_REVOKE
from archive_store.conduct.documents import Appeal, Award, ConductPolicy, Sanction
from archive_store.conduct.jobs import remind_of_decisions, tell_overdue
from archive_store.conduct.sanctions import (
    SANCTION_REMOVE,
    SANCTION_SERVE,
    RequireExpellable,
    StagesOf,
    sanction_expel,
    sanction_impose,
)
from archive_store.foundation.records import Record
from archive_store.foundation.store import Job

CONDUCT_RECORDS: tuple[type[Record], ...] = (Appeal, Award, ConductPolicy, Sanction)
CONDUCT_JOBS: Mapping[str, Job] = {"appeal.remind": remind_of_decisions, "appeal.tell_overdue": tell_overdue}


def conduct_operations(
    stages_of: StagesOf, require_expellable: RequireExpellable
) -> Mapping[str, Operation[Any]]:
    """By name. `stages_of` tells the stage of students, which the room of the structure knows.

    `require_expellable` holds an expulsion against the rules of status changes, which stand above this room.
    """
    return {
        "appeal.appoint": APPEAL_APPOINT,
        "appeal.decide": APPEAL_DECIDE,
        "appeal.extend": APPEAL_EXTEND,
        "appeal.file": APPEAL_FILE,
        "appeal.record_answer": APPEAL_RECORD_ANSWER,
        "appeal.record_provincial": APPEAL_RECORD_PROVINCIAL,
        "award.record": AWARD_RECORD,
        "award.revoke": AWARD_REVOKE,
        "sanction.expel": sanction_expel(stages_of, require_expellable),
        "sanction.impose": sanction_impose(stages_of),
        "sanction.remove": SANCTION_REMOVE,
        "sanction.serve": SANCTION_SERVE,
    }
