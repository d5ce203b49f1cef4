"""The chains of a school that has not set its own, as data: for each operation, whose signatures it needs.

Policy §四(一) names the three tiers and what they decide; what it leaves open is said at the line. An operation without
a line is refused.
"""

from __future__ import annotations

from archive_store.approvals.documents import ApprovalRule, Tier

_HEAD = (Tier.DEPARTMENT_HEAD,)
_HEAD_AND_VICE_PRINCIPAL = (Tier.DEPARTMENT_HEAD, Tier.VICE_PRINCIPAL)
_ALL_TIERS = tuple(Tier)

# 关键信息: key identity fields are a major operation (重大操作), decided by the vice principal.
KEY_IDENTITY_FIELDS = frozenset(
    {"name", "birth_date", "identity_document_type", "identity_number", "national_student_number"}
)

DEFAULT_APPROVAL_RULES = (
    ApprovalRule(operation="student.update", chain=_HEAD),
    ApprovalRule(operation="student.update", fields=KEY_IDENTITY_FIELDS, chain=_HEAD_AND_VICE_PRINCIPAL),
    # 学籍异动: what ends or restores studies is a major operation (重大操作等).
    *(
        ApprovalRule(operation=f"student.{verb}", chain=_HEAD)
        for verb in (
            *("suspend", "resume", "retain_status", "halt", "drop_out", "die", "defer_admission", "take_up"),
            *("repeat", "skip", "change_major"),
        )
    ),
    *(
        ApprovalRule(operation=f"student.{verb}", chain=_HEAD_AND_VICE_PRINCIPAL)
        for verb in (
            *("transfer_out", "transfer_in", "withdraw", "expel", "cancel", "void", "reinstate", "correct"),
        )
    ),
    # §四(一) 重大操作等: merging of records that stand twice, and its reversal.
    ApprovalRule(operation="student.merge", chain=_HEAD_AND_VICE_PRINCIPAL),
    ApprovalRule(operation="student.unmerge", chain=_HEAD_AND_VICE_PRINCIPAL),
    ApprovalRule(operation="duplicate.dismiss", chain=()),
    ApprovalRule(operation="duplicate.reopen", chain=()),
    ApprovalRule(operation="role_grant.give", chain=_HEAD_AND_VICE_PRINCIPAL),
    ApprovalRule(operation="delegation.give", chain=()),
    ApprovalRule(operation="delegation.end", chain=()),
    # §三(二): whom the department head authorises; sealed material one tier higher.
    ApprovalRule(operation="retrieval_grant.give", chain=_HEAD),
    ApprovalRule(operation="retrieval_grant.give_sealed", chain=_HEAD_AND_VICE_PRINCIPAL),
    ApprovalRule(operation="retrieval_grant.revoke", chain=()),
    # §四(一): a crisis team acts at once, and is reviewed afterwards.
    ApprovalRule(operation="crisis_team.form", chain=()),
    ApprovalRule(operation="crisis_team.change_members", chain=()),
    ApprovalRule(operation="crisis_team.activate", chain=()),
    ApprovalRule(operation="crisis_team.stand_down", chain=()),
    ApprovalRule(operation="crisis_team.submit_review", chain=()),
    ApprovalRule(operation="crisis_team.close", chain=()),
    # §四(一): changes of school policy.
    ApprovalRule(operation="policy.replace", chain=_ALL_TIERS),
    ApprovalRule(operation="approval_policy.replace", chain=_ALL_TIERS),
    ApprovalRule(operation="retention_table.replace", chain=_ALL_TIERS),
    ApprovalRule(operation="status_rules.replace", chain=_ALL_TIERS),
    # 引言: an objection asks, and its answer changes no record; the correction is signed as ever.
    *(
        ApprovalRule(operation=f"record_objection.{verb}", chain=())
        for verb in ("raise", "answer", "withdraw")
    ),
    # 转学办理: a case follows what others answer; what our school answers is signed as a transfer is.
    *(
        ApprovalRule(operation=f"transfer_case.{verb}", chain=())
        for verb in ("open", "record_step", "withdraw", "close")
    ),
    ApprovalRule(operation="transfer_case.answer", chain=_HEAD_AND_VICE_PRINCIPAL),
    ApprovalRule(operation="transfer_rules.replace", chain=_ALL_TIERS),
    # 档案转移: the head signs for what leaves; a receipt only tells what came of it.
    ApprovalRule(operation="file_transfer.send", chain=_HEAD),
    ApprovalRule(operation="file_transfer.receive", chain=()),
    ApprovalRule(operation="file_transfer.return", chain=()),
    # §四(一) 学历认证: a major operation.
    ApprovalRule(operation="graduation.decide", chain=_HEAD_AND_VICE_PRINCIPAL),
    ApprovalRule(operation="graduation_rules.replace", chain=_ALL_TIERS),
    ApprovalRule(operation="reason_templates.replace", chain=()),
    # §三(一): the review of an admission is its own approval, by two seats. A correction changes a record as ever.
    *(
        ApprovalRule(operation=f"admission.{verb}", chain=())
        for verb in (
            *("supply", "amend", "add_evidence", "submit", "review", "reopen", "enter"),
            *("call_confirmation", "confirm", "object"),
        )
    ),
    ApprovalRule(operation="admission.correct", chain=_HEAD),
    ApprovalRule(operation="admission.correct", fields=KEY_IDENTITY_FIELDS, chain=_HEAD_AND_VICE_PRINCIPAL),
    # A campaign asks for a look at records and changes none; a correction changes a record as ever, by student.update.
    *(
        ApprovalRule(operation=f"verification.{verb}", chain=())
        for verb in ("open", "extend", "close", "cancel", "confirm", "report_mismatch", "settle")
    ),
    ApprovalRule(operation="admission_policy.replace", chain=_ALL_TIERS),
    # §四(一) 重大操作如奖惩记录. An appeal is decided by its committee, which no tier may keep it from.
    *(
        ApprovalRule(operation=operation, chain=_HEAD_AND_VICE_PRINCIPAL)
        for operation in (
            *("award.record", "award.revoke"),
            *("sanction.impose", "sanction.serve", "sanction.remove", "appeal.record_answer"),
        )
    ),
    # 教育部令第41号: the president's meeting decides on an expulsion.
    ApprovalRule(operation="sanction.expel", chain=_ALL_TIERS),
    *(
        ApprovalRule(operation=f"appeal.{verb}", chain=())
        for verb in ("file", "appoint", "extend", "decide", "record_provincial")
    ),
    ApprovalRule(operation="conduct_policy.replace", chain=_ALL_TIERS),
    # Opening adds a name that nothing is tied to yet; what records rest on is changed by the department head. Classes
    # are daily operations (§四(一)). A homeroom teacher is given a right, as by a role grant; ending it takes one away.
    *(
        ApprovalRule(operation=f"{noun}.open", chain=())
        for noun in ("campus", "cohort", "class", "department", "major")
    ),
    *(
        ApprovalRule(operation=operation, chain=_HEAD)
        for operation in (
            "school.set_up",
            "cohort.change",
            "class.change",
            "class.close",
            "class.assign",
            "major.close",
        )
    ),
    ApprovalRule(operation="homeroom.assign", chain=_HEAD_AND_VICE_PRINCIPAL),
    ApprovalRule(operation="homeroom.end", chain=()),
    # §四(一) 学历认证; a range of numbers binds nobody yet, and no number of it leaves without those signatures.
    *(
        ApprovalRule(operation=f"certificate.{verb}", chain=_HEAD_AND_VICE_PRINCIPAL)
        for verb in ("issue", "reissue", "revoke")
    ),
    ApprovalRule(operation="certificate_range.open", chain=_HEAD),
    # Entry by the information group after the qualification review, §三(一); filing by the archive group, §二(一).
    ApprovalRule(operation="roster.import", chain=()),
    # What many records came by is taken back by the head of the department.
    ApprovalRule(operation="import.undo", chain=_HEAD),
    ApprovalRule(operation="scan.file", chain=()),
    # A hold keeps, so it is placed at once; what lets go of papers is signed, and the principal decides on destroying.
    ApprovalRule(operation="scan.hold", chain=()),
    ApprovalRule(operation="scan.release_hold", chain=_HEAD_AND_VICE_PRINCIPAL),
    ApprovalRule(operation="disposal.propose", chain=()),
    ApprovalRule(operation="disposal.cancel", chain=()),
    ApprovalRule(operation="scan.dispose", chain=_ALL_TIERS),
    # §一(一), §三(一): academic affairs enters grades by the arrangement; what is entered is changed by the head.
    *(ApprovalRule(operation=f"{noun}.open", chain=()) for noun in ("term", "course", "course_arrangement")),
    # What grades rest on, and who reads those of a course, is changed by the head.
    *(
        ApprovalRule(operation=operation, chain=_HEAD)
        for operation in ("course.change", "course_arrangement.change", "course_arrangement.close")
    ),
    ApprovalRule(operation="grade_point_scale.replace", chain=_ALL_TIERS),
    ApprovalRule(operation="grades.enter", chain=()),
    ApprovalRule(operation="grade.correct", chain=_HEAD),
    ApprovalRule(operation="attendance.enter", chain=()),
    # §一(一): logistics supplies dormitory and catering information.
    *(
        ApprovalRule(operation=operation, chain=())
        for operation in (
            *("dormitory_room.open", "dormitory_room.close", "bed.assign", "bed.move", "bed.leave"),
            *("bed.annul", "meals.enrol", "meals.end"),
        )
    ),
    ApprovalRule(operation="attendance.correct", chain=_HEAD),
    # 引言: families have what is on record of them. What was given out is taken back by the head.
    ApprovalRule(operation="transcript.issue", chain=()),
    ApprovalRule(operation="transcript.revoke", chain=_HEAD),
    ApprovalRule(operation="calendar.load", chain=_HEAD),
    ApprovalRule(operation="code_table.load", chain=_HEAD),
)
