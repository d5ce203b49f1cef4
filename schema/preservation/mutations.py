"""`scanHold`, `scanReleaseHold`, `disposalPropose` and `disposalCancel`."""

from __future__ import annotations

import strawberry

from archive_store.approvals.operations import perform
from archive_store.preservation.disposals import DisposalCancel
from archive_store.preservation.due import propose_disposal
from archive_store.preservation.holds import hold_scans, release_hold
from schema.approvals.queries import request_of
from schema.approvals.types import ChangeRequest
from schema.context import Request
from schema.errors import UserError, typed_errors
from schema.nodes import key_of
from schema.preservation.types import DisposalBatch, DisposalItem, LegalHold


@strawberry.input(description="Input of `scanHold`.")
class ScanHoldInput:
    scan_ids: list[strawberry.ID] = strawberry.field(description="Scans of one student, at most 100.")
    reason: str


@strawberry.input(description="Input of `scanReleaseHold`.")
class ScanReleaseHoldInput:
    id: strawberry.ID = strawberry.field(description="The hold.")
    reason: str


@strawberry.type(description="Result of `scanHold` and `scanReleaseHold`.")
class LegalHoldPayload:
    legal_hold: LegalHold | None = None
    change_request: ChangeRequest | None = strawberry.field(
        default=None, description="The request that now awaits approval."
    )
    errors: list[UserError] = strawberry.field(default_factory=list)


@strawberry.input(description="Input of `disposalPropose`.")
class DisposalProposeInput:
    scan_ids: list[strawberry.ID] | None = strawberry.field(
        default=None, description="Scans that are due, at most 100; the first 100 that are due if left out."
    )
    reason: str | None = None
    dry_run: bool = strawberry.field(default=False, description="Only show the list.")


@strawberry.type(description="Result of `disposalPropose`.")
class DisposalProposePayload:
    items: list[DisposalItem] = strawberry.field(default_factory=list)
    disposal_batch: DisposalBatch | None = None
    change_request: ChangeRequest | None = None
    errors: list[UserError] = strawberry.field(default_factory=list)


@strawberry.input(description="Input of `disposalCancel`.")
class DisposalCancelInput:
    id: strawberry.ID
    reason: str


@strawberry.type(description="Result of `disposalCancel`.")
class DisposalCancelPayload:
    disposal_batch: DisposalBatch | None = None
    errors: list[UserError] = strawberry.field(default_factory=list)


@typed_errors(LegalHoldPayload)
async def resolve_scan_hold(info: Request, input: ScanHoldInput) -> LegalHoldPayload:  # noqa: A002
    context = info.context
    keys = [key_of(text, "Scan", field=f"scanIds.{place}") for place, text in enumerate(input.scan_ids)]
    outcome = await hold_scans(context.store, context.viewer, keys, input.reason)
    hold = await context.loaders.legal_holds.load(outcome.result) if outcome.applied else None
    return LegalHoldPayload(
        legal_hold=hold,
        change_request=await request_of(info, outcome.change_request_id),
    )


@typed_errors(LegalHoldPayload)
async def resolve_scan_release_hold(
    info: Request,
    input: ScanReleaseHoldInput,  # noqa: A002
) -> LegalHoldPayload:
    context = info.context
    key = key_of(input.id, "LegalHold", field="id")
    outcome = await release_hold(context.store, context.viewer, key, input.reason)
    return LegalHoldPayload(
        legal_hold=await context.loaders.legal_holds.load(key),
        change_request=await request_of(info, outcome.change_request_id),
    )


@typed_errors(DisposalProposePayload)
async def resolve_disposal_propose(
    info: Request,
    input: DisposalProposeInput,  # noqa: A002
) -> DisposalProposePayload:
    context, named = info.context, input.scan_ids
    proposal = await propose_disposal(
        context.store,
        context.viewer,
        scan_ids=None
        if named is None
        else [key_of(text, "Scan", field=f"scanIds.{place}") for place, text in enumerate(named)],
        reason=input.reason,
        dry_run=input.dry_run,
    )
    key = proposal.batch_id
    return DisposalProposePayload(
        items=list(proposal.items),  # type: ignore[arg-type]
        disposal_batch=None if key is None else await context.loaders.disposal_batches.load(key),
        change_request=await request_of(info, proposal.change_request_id),
    )


@typed_errors(DisposalCancelPayload)
async def resolve_disposal_cancel(
    info: Request,
    input: DisposalCancelInput,  # noqa: A002
) -> DisposalCancelPayload:
    context = info.context
    key = key_of(input.id, "DisposalBatch", field="id")
    payload = DisposalCancel(batch_id=key)
    await perform(context.store, context.viewer, "disposal.cancel", payload, reason=input.reason)
    return DisposalCancelPayload(disposal_batch=await context.loaders.disposal_batches.load(key))
