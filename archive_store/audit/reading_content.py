"""What is written of a reading, pure: sealed in its audit entry, and what the access event repeats of that.

FORMAT.md beside this file says the shape. The entry is what counts; the event finds it by whose values were read.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from bson import ObjectId

from archive_store.access.viewer import Viewer
from archive_store.foundation.database import Row


@dataclass(frozen=True, slots=True)
class ReadRows:
    """The sensitive and sealed paths read of the subjects, and the grants that alone allow it.

    No subjects where a value was looked for and nobody has it: a guess is a reading, too.
    """

    paths: frozenset[str]
    subject_ids: Sequence[ObjectId]
    grant_ids: frozenset[ObjectId] = frozenset()


def reading_content(viewer: Viewer, read_type: str, read: Sequence[ReadRows], stated: str | None) -> Row:
    """`{type, groups: [{fields, subject_ids, grant_ids, team_ids}], purposes}`, the purposes as `_purposes` says.

    Grants and teams stand with the rows that owe them something: other rows of the query owe them nothing.
    """
    teams_of_grants = {grant.id: grant.team_id for grant in viewer.grants}
    lending = {lent.team_id for lent in viewer.lent_posts}
    groups: list[Row] = []
    for rows in read:
        teams = lending | {teams_of_grants.get(grant_id) for grant_id in rows.grant_ids}
        groups.append(
            {
                "fields": sorted(rows.paths),
                "subject_ids": list(rows.subject_ids),
                "grant_ids": sorted(rows.grant_ids),
                "team_ids": sorted(team_id for team_id in teams if team_id is not None),
            }
        )
    grant_ids = frozenset().union(*(rows.grant_ids for rows in read))
    return {"type": read_type, "groups": groups, "purposes": _purposes(viewer, stated, grant_ids)}


def _purposes(viewer: Viewer, stated: str | None, grant_ids: frozenset[ObjectId]) -> list[Row]:
    """`{text, grant_id, student_id, team_id}` of each: the stated one first, which is of no grant and no team.

    What is read for a crisis team is read for its purpose, whatever else is stated; the purpose of another grant
    stands where none is stated.
    """
    used = [grant for grant in viewer.grants if grant.id in grant_ids]
    purposes = [
        {
            "text": grant.purpose,
            "grant_id": grant.id,
            "student_id": grant.student_id,
            "team_id": grant.team_id,
        }
        for grant in used
        if grant.team_id is not None or not stated
    ]
    purposes += [
        {"text": lent.purpose, "grant_id": None, "student_id": None, "team_id": lent.team_id}
        for lent in viewer.lent_posts
    ]
    purposes.sort(key=lambda purpose: str(purpose["text"]))
    own = [{"text": stated, "grant_id": None, "student_id": None, "team_id": None}] if stated else []
    return own + purposes


def repeated_by_event(content: Row) -> Row:
    """The fields of an `AccessEvent` that repeat the content; those of who read are the entry's actor."""
    groups = content["groups"]
    texts = dict.fromkeys(purpose["text"] for purpose in content["purposes"])
    return {
        "purpose": "; ".join(texts) or None,
        "read_type": content["type"],
        "groups": [{name: group[name] for name in ("fields", "subject_ids")} for group in groups],
        "grant_ids": sorted({grant_id for group in groups for grant_id in group["grant_ids"]}),
        "team_ids": sorted({team_id for group in groups for team_id in group["team_ids"]}),
    }
