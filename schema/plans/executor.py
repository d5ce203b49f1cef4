"""The executor that runs plans where it has them, and graphql-core everywhere else."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import structlog
from cachetools import LRUCache
from graphql import FieldNode, GraphQLObjectType
from graphql.execution.collect_fields import FieldDetails, GroupedFieldSet
from graphql.pyutils import AwaitableOrValue, Path
from strawberry.schema.schema import StrawberryGraphQLCoreExecutionContext

from schema.plans.compiler import Plan, compiled_group

KEPT_PLANS = 500
log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class GroupPlan:
    """Of a selection on a type: a plan of it all, or of some of its fields by the names they answer under.

    `nodes` are those of its key, held so that no other can have their identity.
    """

    whole: Plan | None
    fields: Mapping[str, Plan]
    nodes: tuple[FieldNode, ...]


class Plans:
    """Plans of one schema by type, selection and what decides @skip and @include. The least used are forgotten.

    A selection is compiled when it is met again: what is asked once is answered without.
    """

    def __init__(self, kept: int = KEPT_PLANS) -> None:
        self._known: LRUCache[Any, GroupPlan | tuple[FieldNode, ...]] = LRUCache(kept)

    def of(
        self, executor: PlannedExecutor, parent: GraphQLObjectType, group: GroupedFieldSet
    ) -> GroupPlan | None:
        # The document of a query text is parsed once and kept, so that equal selections are the same nodes.
        nodes = tuple(held.node for details in group.values() for held in details)
        conditions = tuple(
            (name, value)
            for name, value in executor.variable_values.coerced.items()
            if value is True or value is False
        )
        key = (parent.name, tuple(map(id, nodes)), conditions)
        known = self._known.get(key)
        if known is None:
            self._known[key] = nodes
            return None
        if not isinstance(known, GroupPlan):
            try:
                known = GroupPlan(*compiled_group(executor, parent, group), nodes)
            except Exception as fault:
                # A defect of ours, once: the selection is answered without a plan from now on.
                log.exception("selection_not_compiled", type=parent.name, fault=type(fault).__name__)
                known = GroupPlan(None, {}, nodes)
            self._known[key] = known
        return known


class PlannedExecutor(StrawberryGraphQLCoreExecutionContext):
    """Overrides where a selection is executed, and where one field is."""

    plans: Plans

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        # By identity: what graphql-core collected is kept as long as this executor, or held here.
        self._groups: dict[int, tuple[GroupedFieldSet, GroupPlan | None]] = {}
        self._fields: dict[int, Plan] = {}

    def execute_fields(
        self,
        parent_type: GraphQLObjectType,
        source_value: Any,
        path: Path | None,
        grouped_field_set: GroupedFieldSet,
        position_context: Any,
    ) -> AwaitableOrValue[dict[str, Any]]:
        if position_context is None and (plan := self._plan_of(parent_type, grouped_field_set)):
            with suppress(Exception):  # graphql-core meets it again, and tells it
                return plan(source_value)  # type: ignore[no-any-return]
        return super().execute_fields(parent_type, source_value, path, grouped_field_set, position_context)

    def execute_field(
        self,
        parent_type: GraphQLObjectType,
        source: Any,
        field_details_list: list[FieldDetails],
        path: Path,
        position_context: Any,
    ) -> AwaitableOrValue[Any]:
        if plan := self._fields.get(id(field_details_list)):
            with suppress(Exception):
                return plan(source)
        return super().execute_field(parent_type, source, field_details_list, path, position_context)

    def _plan_of(self, parent: GraphQLObjectType, group: GroupedFieldSet) -> Plan | None:
        if (known := self._groups.get(id(group))) is None:
            plan = self.plans.of(self, parent, group)
            known = self._groups[id(group)] = group, plan
            for name, of_field in (plan.fields if plan else {}).items():
                self._fields[id(group[name])] = of_field
        return known[1].whole if known[1] else None


def planned_executor() -> type[PlannedExecutor]:
    """An executor class with plans of its own: one for each schema."""
    return type("PlannedExecutor", (PlannedExecutor,), {"plans": Plans()})
