"""Every GraphQL mutation passes here: role, transport, the `user` tag, the audit log.

Belongs here: what happens around a mutation's own resolver, whichever way it was asked for. Does not belong
here: what the mutation does. The log gets names of definitions and run ids, no other value of an argument.
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Iterator, Mapping
from functools import lru_cache
from inspect import isawaitable
from typing import TYPE_CHECKING, Any, Final

from dagster._core.storage.tags import USER_TAG
from starlette.requests import Request

from blotout_orchestration.platform.database.audit import Outcome
from blotout_orchestration.web.access import Access
from blotout_orchestration.web.masking import mask_instance_information
from blotout_orchestration.web.roles import role_of_mutation
from blotout_orchestration.web.sessions import Visitor

if TYPE_CHECKING:
    from graphene import Schema  # type: ignore[import-untyped]
    from graphql import GraphQLField, GraphQLSchema

NAMES: Final = frozenset(
    {
        "scheduleName", "sensorName", "jobName", "pipelineName", "repositoryLocationName",
        "runId", "runIds", "parentRunId", "backfillId", "partitionSetName", "partitionsDefName", "concurrencyKey",
        "locationName",
    }
)  # fmt: skip
"""Arguments that name a definition or a run."""
_PLAIN: Final = re.compile(r"[A-Za-z0-9_.:/-]{1,128}")
_FAILED: Final = re.compile(r"(Error|Failure|Invalid|Conflict|NotFound|Unauthorized)")


class MutationRefusedError(Exception):
    """The visitor may not do this, or not in this way."""


@lru_cache(maxsize=1)
def guarded_schema() -> Schema:
    """Dagster's schema with the guard around each field of the type Mutation, those of a newer Dagster included."""
    from dagster_graphql.schema import create_schema

    schema = create_schema()
    mutation = schema.graphql_schema.mutation_type
    for name, field in (mutation.fields if mutation else {}).items():
        _guard_field(name, field)
    _guard_evaluation(schema.graphql_schema)
    mask_instance_information(schema.graphql_schema)
    return schema


def _guard_field(name: str, field: GraphQLField) -> None:
    original: Callable[..., Any] | None = field.resolve
    if original is None:
        raise RuntimeError(f"the mutation {name} has no resolver to guard; is this another Dagster?")

    def resolve(root: Any, info: Any, **arguments: Any) -> Any:
        access: Access = info.context.access
        visitor: Visitor = info.context.visitor
        names = sorted(set(_names(arguments)))

        def record(
            outcome: Outcome, run_id: str | None = None, named: str | None = None, **details: Any
        ) -> None:
            target = ", ".join([*names, *([named] if named and named not in names else [])]) or "-"
            access.record(visitor.name, name, target, outcome, run_id, role=visitor.role.value, **details)

        problem = _problem(name, visitor, info.context.source)
        if problem:
            record("refused", reason=problem)
            raise MutationRefusedError(problem)
        _stamp(arguments, visitor.name)
        try:
            result = original(root, info, **arguments)
        except Exception as error:
            record("failed", answer=type(error).__name__)
            raise
        return _recorded_later(result, record) if isawaitable(result) else _recorded(result, record)

    field.resolve = resolve


def _guard_evaluation(schema: GraphQLSchema) -> None:
    """Close the way around `sensorDryRun`: a query for the next tick's result runs the sensor's code as well."""
    field = getattr(schema.get_type("DryRunInstigationTick"), "fields", {}).get("evaluationResult")
    if field is None:
        raise RuntimeError("DryRunInstigationTick has no evaluationResult; is this another Dagster?")
    original: Callable[..., Any] = field.resolve

    def resolve(root: Any, info: Any, **arguments: Any) -> Any:
        problem = _problem("evaluationResult", info.context.visitor, info.context.source)
        if problem:
            access: Access = info.context.access
            visitor: Visitor = info.context.visitor
            access.record(visitor.name, "evaluationResult", "-", "refused", reason=problem)
            raise MutationRefusedError(problem)
        return original(root, info, **arguments)

    field.resolve = resolve


def _problem(name: str, visitor: Visitor, source: object) -> str | None:
    """Why this visitor may not ask for this mutation in this way; None when it may."""
    if not isinstance(source, Request) or source.method != "POST":
        return f"{name} comes as a POST of JSON only"
    needed = role_of_mutation(name)
    if not visitor.role.covers(needed):
        return f"{name} needs the role {needed}; {visitor.name} has the role {visitor.role}"
    return None


def _names(arguments: object, key: str = "") -> Iterator[str]:
    """Names of definitions and runs anywhere in the arguments."""
    if isinstance(arguments, Mapping):
        for inner, value in arguments.items():
            if inner in ("assetKey", "assetKeys", "assetSelection") or (key and inner == "path"):
                yield from _asset_names(value)
            else:
                yield from _names(value, inner)
    elif isinstance(arguments, (list, tuple)):
        for value in arguments:
            yield from _names(value, key)
    elif key in NAMES and isinstance(arguments, str) and _PLAIN.fullmatch(arguments):
        yield arguments


def _asset_names(value: object) -> Iterator[str]:
    if isinstance(value, Mapping):
        yield from _asset_names(value.get("path", []))
    elif isinstance(value, (list, tuple)) and value and all(isinstance(part, str) for part in value):
        name = "/".join(value)
        if _PLAIN.fullmatch(name):
            yield name
    elif isinstance(value, (list, tuple)):
        for part in value:
            yield from _asset_names(part)


def _stamp(arguments: Mapping[str, Any], user: str) -> None:
    """Put the `user` tag into everything that launches a run, over one that the client claims."""
    for key in ("executionParams", "executionParamsList"):
        given = arguments.get(key)
        for parameters in given if isinstance(given, list) else [given] if given else []:
            if parameters.get("executionMetadata") is None:
                parameters["executionMetadata"] = {}
            metadata = parameters["executionMetadata"]
            metadata["tags"] = _with_user(metadata.get("tags"), user)
    if arguments.get("reexecutionParams"):
        parameters = arguments["reexecutionParams"]
        parameters["extraTags"] = _with_user(parameters.get("extraTags"), user)


def _with_user(tags: list[Mapping[str, str]] | None, user: str) -> list[Mapping[str, str]]:
    return [*(tag for tag in tags or [] if tag["key"] != USER_TAG), {"key": USER_TAG, "value": user}]


async def _recorded_later(result: Awaitable[Any], record: Callable[..., None]) -> Any:
    try:
        finished = await result
    except Exception as error:
        record("failed", answer=type(error).__name__)
        raise
    return _recorded(finished, record)


def _recorded(result: Any, record: Callable[..., None]) -> Any:
    kind = type(result).__name__.removeprefix("Graphene")
    run_id = getattr(getattr(result, "run", None), "runId", None)
    many = getattr(result, "launchMultipleRunsResult", None)
    if many is not None:
        for single in many:
            _recorded(single, record)
        return result
    state = getattr(result, "scheduleState", None) or getattr(result, "instigationState", None)
    record(
        "failed" if _FAILED.search(kind) else "done",
        run_id if isinstance(run_id, str) else None,
        getattr(state, "name", None),
        answer=kind,
    )
    return result
