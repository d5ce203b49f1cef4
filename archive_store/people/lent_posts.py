"""Posts that crisis teams (临时小组) lend, policy §四(一).

They are no role grants, whose terms are whole days: a team lends while it is active, so that what it lent ends at the
moment it stands down.
"""

from __future__ import annotations

from datetime import date

from bson import ObjectId

from archive_store.access.viewer import LentPost
from archive_store.foundation.posts import Post
from archive_store.foundation.store import Store

# Named here, not imported: the room of crisis teams stands above this one.
CRISIS_TEAMS = "crisis_teams"
ACTIVE = "ACTIVE"


def team_purpose(title: str) -> str:
    """What is read for a team is read for this purpose."""
    return f"临时小组:{title}"


async def lent_posts(store: Store, person_id: ObjectId, day: date) -> tuple[LentPost, ...]:
    """What the active teams lend to a person on this day."""
    teams = store.database.mongo[CRISIS_TEAMS].find(
        {"members.person_id": person_id, "status": ACTIVE, "valid_to": {"$gte": day.isoformat()}},
        {"title": 1, "members.person_id": 1, "members.posts": 1},
    )
    return tuple(
        LentPost(Post(post), team["_id"], team_purpose(team["title"]))
        for team in await teams.to_list()
        for member in team["members"]
        if member["person_id"] == person_id
        for post in member["posts"]
    )
