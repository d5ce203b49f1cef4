"""The approvals of a school as the policy has them (§四(一)), in plain dicts: what each action leads to.

Written from the policy, without the code that it is compared with. Each action changes the model and returns None, or
changes nothing and returns the code of the refusal. People go by their sign-in subject, records by their key.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import Any

POSTS = {
    "information": "INFORMATION_GROUP",
    "deputy-1": "DEPUTY_DIRECTOR",
    "director": "DIRECTOR",
    "vice-principal": "VICE_PRINCIPAL",
    "principal": "PRINCIPAL",
    "archive": "ARCHIVE_GROUP",
    "academic-affairs": "ACADEMIC_AFFAIRS",
    "teacher": "TEACHER",
}
TIERS = ("DIRECTOR", "VICE_PRINCIPAL", "PRINCIPAL")
ASKERS = {"information", "deputy-1", "director"}
# The department and those who decide.
READERS = {"information", "deputy-1", "director", "vice-principal", "principal", "archive"}
# A change of the name goes to the vice principal; archive group and academic affairs sign a former name together.
TIERS_OF_FIELD = {"name": 2}
JOINT_OF_FIELD = {"former_name": ("ARCHIVE_GROUP", "ACADEMIC_AFFAIRS")}
FIELDS = ("native_place", "phone", "auxiliary_number", "name", "former_name")
# Whoever may not read a value is not told that it is the same already.
READS_PHONE = {"director"}
OPEN = {"SUBMITTED", "IN_REVIEW"}
UNDECIDED = OPEN | {"DRAFT", "RETURNED"}
ADDED_SIGNERS = 5
LONGEST_DELEGATION = 90
OPERATION = "student.update"

Request = dict[str, Any]


class SchoolModel:
    def __init__(self, students: dict[Any, dict[str, Any]], person_of: dict[Any, Any]) -> None:
        self.day = 0
        self.students = students
        self.person_of = person_of  # of a student
        self.names = {person_of[key]: values["name"] for key, values in students.items()}
        self.requests: dict[Any, Request] = {}
        self.delegations: dict[Any, dict[str, Any]] = {}
        self.entries: Counter[Any] = Counter()  # new audit entries, by subject
        self.told: Counter[tuple[Any, str, Any]] = Counter()  # new notifications: to whom, what, of which

    # Asking

    def submit(
        self,
        key: Any,
        who: str,
        student: Any,
        changes: dict[str, Any],
        day: int | None,
        draft: bool,
        why: bool,
    ) -> str | None:
        if who not in ASKERS:
            return "forbidden"
        if not self._is_over(day) and self._changes_nothing(who, student, changes):
            return "nothing_to_change"
        if not (why or draft):
            return "required"
        self.requests[key] = {
            "by": who,
            "student": student,
            "round": 0,
            "signed": [],
            "history": [],
            "superseded_by": None,
            "blocked": False,
            "why": why,
            "day": day,
        }
        self._lay_down(key, changes, "DRAFT" if draft else "SUBMITTED")
        self.entries[key] += 1
        return None

    def submit_draft(self, key: Any, who: str) -> str | None:
        request = self.requests.get(key)
        if code := self._not_own(who, request, UNDECIDED):
            return code
        assert request is not None
        is_over = self._is_over(request["day"])
        if not is_over and self._changes_nothing(who, request["student"], request["changes"]):
            return "nothing_to_change"
        if request["status"] != "DRAFT":
            return "wrong_state"
        if not request["why"]:
            return "required"
        request["status"] = "SUBMITTED"
        request["before"] = self._values(request["student"], request["changes"])
        self.entries[key] += 1
        self._tell_awaited(key)
        return None

    def revise(
        self, key: Any, who: str, changes: dict[str, Any] | None, day: int | None, why: bool
    ) -> str | None:
        request = self.requests.get(key)
        if code := self._not_own(who, request, UNDECIDED):
            return code
        assert request is not None
        changes = request["changes"] if changes is None else changes
        day = request["day"] if day is None else day
        if not self._is_over(day) and self._changes_nothing(who, request["student"], changes):
            return "nothing_to_change"
        request["day"] = day
        request["why"] = request["why"] or why
        self._lay_down(key, changes, "DRAFT" if request["status"] == "DRAFT" else "SUBMITTED")
        self.entries[key] += 1
        return None

    def withdraw(self, key: Any, who: str) -> str | None:
        request = self.requests.get(key)
        if code := self._not_own(who, request, UNDECIDED | {"APPROVED"}):
            return code
        assert request is not None
        if request["status"] != "DRAFT":
            self._tell(request["awaited"], "withdrawn", key)
        request["status"], request["awaited"] = "WITHDRAWN", []
        self.entries[key] += 1
        return None

    def _is_over(self, day: int | None) -> bool:
        """A correction: the history says from which day what the record has already holds."""
        return day is not None and day < self.day

    def _not_own(self, who: str, request: Request | None, statuses: set[str]) -> str | None:
        if request is None or not self.sees(who, request):
            return "not_found"
        if request["by"] != who:
            return "forbidden"
        return None if request["status"] in statuses else "wrong_state"

    def _changes_nothing(self, who: str, student: Any, changes: dict[str, Any]) -> bool:
        readable = who in READS_PHONE or "phone" not in changes
        return readable and self._values(student, changes) == changes

    def _values(self, student: Any, fields: Iterable[str]) -> dict[str, Any]:
        return {field: self.students[student][field] for field in fields}

    def _lay_down(self, key: Any, changes: dict[str, Any], status: str) -> None:
        """A version of the request begins: no signature counts, and all are asked from the first on."""
        request = self.requests[key]
        own = POSTS[request["by"]]
        tiers = list(TIERS[: max(TIERS_OF_FIELD.get(field, 1) for field in changes)])
        if tiers[-1] == own:
            tiers.append(TIERS[len(tiers)])
        joint = [JOINT_OF_FIELD[field] for field in changes if field in JOINT_OF_FIELD]
        request["route"] = [list(posts) for posts in joint] + [[post] for post in tiers if post != own]
        request["changes"] = changes
        request["before"] = self._values(request["student"], changes)
        request["round"] += 1
        request["position"], request["awaited"] = 0, list(request["route"][0])
        request["involved"] = {request["by"]}
        request["status"] = status
        request["history"].append((dict(changes), request["day"]))
        if status != "DRAFT":
            self._tell_awaited(key)

    # Deciding

    def decide(self, key: Any, who: str, decision: str, has_comment: bool, version: int | None) -> str | None:
        """`version` counts from 0 those of the request; the one that the decider saw, None when they do not say."""
        if decision != "APPROVED" and not has_comment:
            return "required"
        seat, code = self.seat(key, who)
        if code:
            return code
        request = self.requests[key]
        if version not in (None, len(request["history"]) - 1):
            return "conflict"
        left = [post for post in request["awaited"] if post != seat[0]] if seat[0] else []
        following = request["position"] + 1
        decided = decision == "APPROVED" and not left and following == len(request["route"])
        applies = decided and (request["day"] is None or request["day"] <= self.day)
        if applies and (code := self._cannot_apply(request)):
            return code
        signature = (who, seat[1], decision, request["round"])
        request["signed"].append(signature)
        request["involved"] |= {who, seat[1]} - {None}
        self.entries[key] += 1
        if decision != "APPROVED":
            request["status"], request["awaited"] = decision, []
        elif left:
            request["status"], request["awaited"] = "IN_REVIEW", left
        elif not decided:
            request["status"], request["position"] = "IN_REVIEW", following
            request["awaited"] = list(request["route"][following])
            self._tell_awaited(key)
        else:
            request["status"], request["position"] = "APPLIED" if applies else "APPROVED", following
            request["awaited"] = []
        if request["status"] not in OPEN:
            self._tell([request["by"]], request["status"].lower(), key)
        if applies:
            self._apply(key)
        return None

    def seat(self, key: Any, who: str) -> tuple[Any, str | None]:
        """The post and the delegator that somebody signs for, or why they cannot sign."""
        request = self.requests.get(key)
        if request is None or not self.sees(who, request):
            return None, "not_found"
        if request["status"] not in OPEN:
            return None, "wrong_state"
        held = [given for given in self.delegations.values() if self._holds(who, given)]
        if who in request["involved"] or request["by"] in {given["from"] for given in held}:
            return None, "self_approval"
        if request["awaited"] == [("person", who)]:
            return (None, None), None
        if POSTS[who] in request["awaited"]:
            return (POSTS[who], None), None
        # Who has a step of their own must not spend their one signature in another's seat.
        if any(POSTS[who] in step for step in request["route"]):
            held = []
        for given in held:
            delegator, is_awaited = given["from"], given["post"] in request["awaited"]
            if is_awaited and self._covers(given) and delegator not in request["involved"]:
                return (given["post"], delegator), None
        return None, "forbidden"

    def sees(self, who: str, request: Request) -> bool:
        if request["by"] == who:
            return True
        if request["status"] == "DRAFT":
            return False
        asked = [post for step in request["route"] for post in step]
        seats = {POSTS[who], ("person", who)}
        seats |= {
            held["post"]
            for held in self.delegations.values()
            if self._holds(who, held) and self._covers(held)
        }
        return who in READERS or not seats.isdisjoint(asked)

    def _holds(self, who: str, delegation: dict[str, Any]) -> bool:
        return delegation["to"] == who and delegation["first"] <= self.day <= delegation["last"]

    def _covers(self, delegation: dict[str, Any]) -> bool:
        return delegation["operations"] is None or OPERATION in delegation["operations"]

    def add_signer(self, key: Any, who: str, signer: str, has_comment: bool) -> str | None:
        if not has_comment:
            return "required"
        _, code = self.seat(key, who)
        if code:
            return code
        if signer not in POSTS:
            return "not_found"
        request = self.requests[key]
        position = request["position"]
        # Whoever signs two steps of one request signs neither: it could not be decided any more.
        later = {post for step in request["route"][position:] for post in step}
        if signer in request["involved"] | {who} or {POSTS[signer], ("person", signer)} & later:
            return "self_approval"
        if any(
            given["from"] == request["by"] and self._holds(signer, given)
            for given in self.delegations.values()
        ):
            return "self_approval"
        if sum(isinstance(post, tuple) for step in request["route"] for post in step) >= ADDED_SIGNERS:
            return "out_of_range"
        if request["awaited"] != request["route"][position]:
            return "wrong_state"
        request["route"].insert(position, [("person", signer)])
        request["awaited"], request["status"] = [("person", signer)], "IN_REVIEW"
        self.entries[key] += 1
        self._tell_awaited(key)
        return None

    def _cannot_apply(self, request: Request) -> str | None:
        student, changes = request["student"], request["changes"]
        if self._values(student, changes) != request["before"]:
            return "conflict"
        number = changes.get("auxiliary_number")
        others = [values for key, values in self.students.items() if key != student]
        taken = number is not None and number in {values["auxiliary_number"] for values in others}
        return "duplicate" if taken else None

    def _apply(self, key: Any) -> None:
        request = self.requests[key]
        student, changes = request["student"], request["changes"]
        self.students[student] |= changes
        self.entries[student] += 1
        person = self.person_of[student]
        if "name" in changes and self.names[person] != changes["name"]:
            self.names[person] = changes["name"]
            self.entries[person] += 1
        for other, earlier in self.requests.items():
            if other == key or (earlier["student"], earlier["status"]) != (student, "APPLIED"):
                continue
            if earlier["changes"].keys() <= changes.keys():
                earlier["status"], earlier["superseded_by"] = "SUPERSEDED", key
                self.entries[other] += 1

    def apply_due(self) -> None:
        """The clock applies what was approved for a day that has come, the earlier day first."""
        approved = [key for key, request in self.requests.items() if request["status"] == "APPROVED"]
        due = [key for key in approved if self.requests[key]["day"] <= self.day]
        for key in sorted(due, key=lambda key: (self.requests[key]["day"], key)):
            request = self.requests[key]
            if request["blocked"]:
                continue
            self.entries[key] += 1
            if self._cannot_apply(request):
                request["blocked"] = True
                self._tell([request["by"]], "blocked", key)
            else:
                request["status"] = "APPLIED"
                self._tell([request["by"]], "applied", key)
                self._apply(key)

    # Delegating

    def delegate(
        self, key: Any, who: str, to: str, post: str, operations: Any, first: int, last: int
    ) -> str | None:
        if POSTS[who] not in TIERS or POSTS[who] != post:
            return "forbidden"
        if first < self.day or last < first:
            return "invalid_date"
        if last - first >= LONGEST_DELEGATION:
            return "out_of_range"
        if to == who:
            return "self_approval"
        if to not in POSTS:
            return "not_found"
        self.delegations[key] = {
            "from": who,
            "to": to,
            "post": post,
            "operations": operations,
            "first": first,
            "last": last,
        }
        self.entries[key] += 1
        self.told[to, "delegation:given", key] += 1
        return None

    def end_delegation(self, key: Any, who: str) -> str | None:
        if POSTS[who] not in TIERS:
            return "forbidden"
        delegation = self.delegations.get(key)
        if delegation is None or delegation["from"] != who:
            return "not_found"
        if delegation["last"] < self.day:
            return "wrong_state"
        delegation["last"] = self.day - 1
        self.entries[key] += 1
        self.told[delegation["to"], "delegation:ended", key] += 1
        return None

    # Telling

    def _tell_awaited(self, key: Any) -> None:
        self._tell(self.requests[key]["awaited"], "awaits_decision", key)

    def _tell(self, recipients: Iterable[Any], what: str, key: Any) -> None:
        for recipient in recipients:
            to = recipient[1] if isinstance(recipient, tuple) else recipient
            self.told[to, f"change_request:{what}", key] += 1
