"""REST APIs through dlt's rest_api: declared types (Shopify, the ad platforms, a deployment's own) and `rest_api`.

Belongs here: from a declaration and a connection to dlt's resource. Retries (429 with Retry-After, 5xx, broken
answers) are those of dlt's client, configured here once.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from blotout_orchestration.elt.definition import PipelineError, Stream
from blotout_orchestration.elt.messages import readable
from blotout_orchestration.elt.sources import Window, incremental_of, wrong_connection
from blotout_orchestration.elt.sources.declaration import (
    StreamRequest,
    connection_problems,
    filled,
    find_declaration,
)
from blotout_orchestration.elt.sources.records import reshaper
from blotout_orchestration.platform.naming import snake_case
from blotout_orchestration.platform.secrets import is_reference, resolve

if TYPE_CHECKING:
    from blotout_orchestration.platform.registry import Pipeline
    from blotout_orchestration.settings import Settings

TRIES = 8
LONGEST_WAIT = 300
"""Seconds; also the longest Retry-After that is waited for."""


@dataclass
class RestSource:
    """An API as a source."""

    client: dict[str, Any]
    streams: Mapping[str, Mapping[str, Any]]
    secrets: Sequence[str]

    @classmethod
    def of(cls, settings: Settings, pipeline: Pipeline, *, secrets_too: bool = True) -> RestSource:
        """From a pipeline's connection. Raises PipelineError, and SecretError unless secrets are left alone."""
        found: list[str] = []

        def value_of(text: str) -> str:
            if not secrets_too or not is_reference(text):
                return text
            found.append(resolve(text, settings).get_secret_value())
            return found[-1]

        given = pipeline.connection
        if pipeline.source_type == "rest_api":
            if not isinstance(given.get("base_url"), str):
                raise wrong_connection(pipeline, ["base_url: is required"])
            client = _resolved(given, value_of)
            return cls(client, {}, found)
        declaration = find_declaration(settings, pipeline.source_type)
        problems = connection_problems(declaration, given)
        if problems:
            raise wrong_connection(pipeline, problems)
        values = {
            name: one.default for name, one in declaration.connection.items() if one.default is not None
        }
        values |= {name: value_of(str(one)) for name, one in given.items()}
        client = filled(declaration.client, values)
        if "base_url" in given:
            client["base_url"] = str(given["base_url"])
        return cls(client, filled(declaration.offered(), values), found)

    def offered(self, names: Sequence[str]) -> Mapping[str, Mapping[str, Any]]:
        """The declared streams; nothing is known of others."""
        return {name: one for name, one in self.streams.items() if not names or name in names}

    def check(self) -> str:
        """Say where requests go; an API tells whether it lets us in at the first one."""
        return f"requests go to {self.client['base_url']}"

    def resource(self, stream: Stream, window: Window) -> Any:
        """The stream's resource; a child's parent is asked first and gives it the cursor."""
        from dlt.sources.rest_api import rest_api_resources

        request = self._request(stream)
        resources = []
        if request.parent:
            parent = self._parent(stream, request.parent)
            resources.append(self._config(parent, self._request(parent), window, selected=False))
            window = Window(maximum_rows=window.maximum_rows)
        resources.append(self._config(stream, request, window))
        config = {"client": {**self.client, **_client_parts(self.client)}, "resources": resources}
        made = {one.name: one for one in rest_api_resources(config)}  # type: ignore[arg-type]
        if window.maximum_rows:
            asked_first = snake_case(request.parent) if request.parent else stream.table
            made[asked_first].add_limit(1)
        return made[stream.table]

    def declared_types(self, stream: Stream) -> Mapping[str, Any]:
        """Columns that the declaration gives a type: APIs leave out zeros and nulls."""
        import pyarrow as pa

        from blotout_orchestration.elt.types import TIMESTAMP

        kinds = {"long": pa.int64(), "double": pa.float64(), "date": pa.date32(), "timestamp": TIMESTAMP}
        typed = {name: path.partition(" as ")[2] for name, path in self._request(stream).columns.items()}
        return {snake_case(name): kinds[kind] for name, kind in typed.items() if kind}

    def check_request(self, stream: Stream) -> None:
        """Raises PipelineError when the stream's requests cannot be made as they are described."""
        request = self._request(stream)
        if request.parent:
            self._parent(stream, request.parent)
        try:
            reshaper(request.columns, request.explode, None)
            self.resource(stream, Window(stream.cursor, stream.start) if stream.cursor else Window())
        except Exception as error:
            raise PipelineError(f"stream {stream.name}: {readable(error, self.secrets)}") from None

    def _request(self, stream: Stream) -> StreamRequest:
        options = dict(stream.options)
        options.pop("namespace", None)
        if isinstance(options.get("endpoint"), str):
            options["endpoint"] = {"path": options["endpoint"]}
        try:
            return StreamRequest.model_validate(options)
        except ValidationError as error:
            lines = [
                f"{'.'.join(str(part) for part in one['loc'])}: {one['msg']}"
                for one in error.errors(include_url=False, include_input=False)
            ]
            raise PipelineError(f"stream {stream.name}: options: {'; '.join(lines)}") from None

    def _parent(self, stream: Stream, name: str) -> Stream:
        if name not in self.streams:
            raise PipelineError(f"stream {stream.name}: its parent {name} is not declared")
        return Stream.model_validate({"name": name, **self.streams[name]})

    def _config(
        self, stream: Stream, request: StreamRequest, window: Window, *, selected: bool = True
    ) -> dict[str, Any]:
        endpoint: dict[str, Any] = {**request.endpoint, "params": dict(request.endpoint.get("params") or {})}
        if window.maximum_rows and "limit" in endpoint["params"]:
            endpoint["params"]["limit"] = window.maximum_rows
        cursor = window.cursor
        if cursor is not None:
            incremental = incremental_of(window)
            endpoint["incremental"] = {
                "cursor_path": incremental.cursor_path,
                "initial_value": incremental.initial_value,
                "lag": incremental.lag,
                **({"primary_key": []} if window.boundary_again else {}),
                "on_cursor_value_missing": "include",
                "convert": _formatter(request.start_format),
            }
            if request.start_param:
                endpoint["incremental"]["start_param"] = request.start_param
        rows = reshaper(request.columns, request.explode, cursor)
        # A map keeps pages together, which the children of a stream need.
        step: dict[str, Any] = {"map": lambda record: next(rows(record))}
        if request.explode:
            step = {"yield_map": rows}
        return {
            "name": stream.table,
            "endpoint": endpoint,
            "processing_steps": [step],
            "selected": selected,
        }


def _resolved(value: Any, value_of: Callable[[str], str]) -> Any:
    if isinstance(value, Mapping):
        return {key: _resolved(one, value_of) for key, one in value.items()}
    if isinstance(value, list):
        return [_resolved(one, value_of) for one in value]
    return value_of(value) if isinstance(value, str) else value


def _client_parts(client: Mapping[str, Any]) -> dict[str, Any]:
    """The session with its retries, and the one kind of login that dlt has no word for."""
    from dlt.sources.helpers.requests import Client
    from dlt.sources.helpers.rest_client.auth import OAuth2ClientCredentials

    session = Client(
        raise_for_status=False,
        request_max_attempts=TRIES,
        request_max_retry_delay=LONGEST_WAIT,
        request_timeout=60,
    ).session
    parts: dict[str, Any] = {"session": session}
    auth = client.get("auth")
    if isinstance(auth, Mapping) and auth.get("type") == "oauth2_refresh_token":
        parts["auth"] = OAuth2ClientCredentials(
            access_token_url=auth["access_token_url"],
            client_id=auth["client_id"],
            client_secret=auth["client_secret"],
            access_token_request_data={
                "grant_type": "refresh_token",
                "refresh_token": auth["refresh_token"],
            },
            session=session,
        )
    return parts


def _formatter(pattern: str) -> Callable[[Any], Any]:
    """The text that the API expects for a cursor's start."""

    def text(value: Any) -> Any:
        if value is None:
            return None
        day = value.astimezone(UTC).date() if isinstance(value, datetime) else value
        plain = value.isoformat() if isinstance(value, date) else str(value)
        made = pattern.replace("{value}", plain).replace("{today}", datetime.now(UTC).date().isoformat())
        made = made.replace("{date}", day.isoformat() if isinstance(day, date) else plain)
        # dlt looks for its own placeholders in the result.
        return made.replace("{", "{{").replace("}", "}}") if "{" in made else made

    return text
