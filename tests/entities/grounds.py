"""The small warehouse of these tests behind a service: Trino's and Athena's protocols, answered by its file."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from blotout_orchestration.lake import Lake
from tests.analytics.report_grounds import on
from tests.analytics.services import AthenaService, Service, TrinoService, serving
from tests.entities import warehouse as made


@contextmanager
def behind(
    lake: Lake,
    ground: str,
    monkeypatch: pytest.MonkeyPatch,
    users: list[dict[str, Any]],
    events: list[dict[str, Any]],
    refused: str | None = None,
    days: int = 30,
) -> Iterator[tuple[Lake, Service]]:
    """The lake on Trino or Athena, whose tables hold these rows; queries with `refused` in them fail there."""
    made.publish(lake.settings, users, events, days=days)
    path = lake.settings.published_path
    # Without published.duckdb nothing can be read past the service.
    path.rename(path.with_name(f"{ground}.duckdb"))
    kind: type[Service] = {"trino": TrinoService, "athena": AthenaService}[ground]

    class Refusing(kind):  # type: ignore[misc, valid-type]
        def start(self, sql: str) -> str:
            if refused is None or refused not in sql:
                return str(super().start(sql))
            query = f"q{len(self.asked)}"
            self.asked.append(sql)
            self._errors[query] = "Conversion Error: ann@example.com is no number"
            return query

    service = Refusing(path.with_name(f"{ground}.duckdb"), made.SCHEMA)
    with serving(service) as address, monkeypatch.context() as environment:
        environment.setenv("AWS_ENDPOINT_URL_ATHENA", f"http://{address}")
        environment.setenv("AWS_ACCESS_KEY_ID", "testing")
        environment.setenv("AWS_SECRET_ACCESS_KEY", "testing")
        yield on(lake, ground, address), service
    service.close()
