"""`reasonTemplates` and `reasonTemplatesReplace`: common reasons for requests and decisions."""

from __future__ import annotations

import strawberry
from bson import ObjectId

from archive_store.approvals import reasons as stored
from archive_store.approvals.operations import payload_of, perform
from schema.context import Request
from schema.enums import ReasonUse
from schema.errors import UserError, typed_errors


@strawberry.type(description="常用意见: a sentence that is often given.")
class ReasonTemplate:
    use: ReasonUse
    zh: str
    en: str


@strawberry.input(description="A sentence as it shall be.")
class ReasonTemplateInput:
    use: ReasonUse
    zh: str
    en: str


@strawberry.input(description="Input of `reasonTemplatesReplace`: the whole list.")
class ReasonTemplatesReplaceInput:
    templates: list[ReasonTemplateInput]


@strawberry.type(description="Result of `reasonTemplatesReplace`.")
class ReasonTemplatesPayload:
    templates: list[ReasonTemplate] = strawberry.field(default_factory=list)
    errors: list[UserError] = strawberry.field(default_factory=list)


async def resolve_reason_templates(info: Request, use: ReasonUse | None = None) -> list[ReasonTemplate]:
    """Those in use, in their order."""
    templates = await stored.list_templates(info.context.store, info.context.viewer)
    return [_shown(held) for held in templates if use in (None, held.use)]


@typed_errors(ReasonTemplatesPayload)
async def resolve_reason_templates_replace(
    info: Request,
    input: ReasonTemplatesReplaceInput,  # noqa: A002
) -> ReasonTemplatesPayload:
    context = info.context
    values = {"list_id": ObjectId(), "templates": [vars(template) for template in input.templates]}
    payload = payload_of(stored.ReasonTemplatesReplace, values)
    await perform(context.store, context.viewer, "reason_templates.replace", payload)
    return ReasonTemplatesPayload(templates=[_shown(held) for held in payload.templates])


def _shown(held: stored.ReasonTemplate) -> ReasonTemplate:
    return ReasonTemplate(use=held.use, zh=held.zh, en=held.en)
