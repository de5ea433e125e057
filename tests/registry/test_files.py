"""Files of definitions: what people write becomes what the registry keeps, or every problem is named."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from textwrap import dedent
from typing import Any

import pytest

from blotout_orchestration.platform.registry import Pipeline
from blotout_orchestration.platform.registry.documents import DocumentError
from blotout_orchestration.platform.registry.files import read_pipelines
from blotout_orchestration.platform.registry.problems import DefinitionError, Problem

ORDERS = """
name: shop_orders
type: postgres
source: Shop DB
schedule: "*/15 * * * *"
lag: 5m
backfill_from: 2026-01-01
connection: {host: db, password: env:SHOP_DB_PASSWORD}
streams:
  - customers
  - name: Orders
    table: shop_orders
    mode: incremental
    write: append_dedup
    cursor: meta.updated_at
    primary_key: [id, line]
    id_mapping:
      - {column: customer_id, provider: shop, map_id: true}
      - {column: email, provider: email}
    event_map:
      - {event: order_completed, column: created_at, columns: {revenue: total}, when: {state: paid}}
    options: {deleted_column: gone}
"""


def nothing_wrong(_definition: object) -> list[Problem]:
    return []


@pytest.fixture
def file(tmp_path: Path):
    def write(text: str, name: str = "pipelines.yaml") -> Path:
        path = tmp_path / name
        path.write_text(dedent(text))
        return path

    return write


def one(path: Path) -> Pipeline:
    (found,) = read_pipelines(path, nothing_wrong).definitions
    return found


def lines(path: Path, read: Any = read_pipelines) -> list[str]:
    with pytest.raises(DefinitionError) as caught:
        read(path, nothing_wrong)
    return str(caught.value).splitlines()[1:]


def test_the_short_form_becomes_the_payload_of_the_original(file):
    made = one(file(ORDERS))
    assert (made.name, made.source_name, made.source_type) == ("shop_orders", "Shop DB", "postgres")
    assert made.namespace("prod") == "shop_db_prod"
    payload = made.stored_payload()
    assert [entry["stream"]["name"] for entry in payload["syncCatalog"]["streams"]] == ["customers", "Orders"]
    orders = payload["syncCatalog"]["streams"][1]
    assert orders["stream"]["jsonSchema"]["metadata"]["id_mapping"] == [
        {"map_column": "customer_id", "map_provider": "shop", "map_id": True},
        {"map_column": "email", "map_provider": "email", "map_id": False},
    ]
    assert orders["stream"]["jsonSchema"]["metadata"]["event_map"] == [
        {
            "map_event": "order_completed",
            "map_column": "created_at",
            "columns": {"revenue": "total"},
            "when": {"state": "paid"},
        }
    ]
    assert orders["config"] == {
        "syncMode": "incremental",
        "cursorField": ["meta", "updated_at"],
        "destinationSyncMode": "append_dedup",
        "primaryKey": [["id"], ["line"]],
        "aliasName": "shop_orders",
        "selected": True,
        "options": {"deleted_column": "gone"},
    }
    assert (payload["schedule"], payload["lag_seconds"], payload["schema_contract"]) == (
        "*/15 * * * *",
        300,
        "evolve",
    )
    assert made.payload.backfill_from == datetime(2026, 1, 1, tzinfo=UTC)


def test_the_payload_of_the_original_is_taken_as_it_is(file):
    made = one(file(ORDERS))
    row = {
        "id": 7,
        "name": "shop_orders",
        "source_name": "Shop DB",
        "source_type": "postgres",
        "payload": json.dumps(made.stored_payload()),
        "created_at": "2026-01-01",
        "updated_at": "2026-01-01",
        "is_deleted": 0,
    }
    assert one(file(json.dumps(row), "row.json")) == made
    assert one(file(json.dumps({**row, "payload": made.stored_payload()}), "row.json")) == made


def test_what_the_registry_prints_can_be_added_again(file):
    made = one(file(ORDERS))
    printed = {
        **made.model_dump(mode="json", by_alias=True, exclude_none=True),
        "created_at": "2026-01-01T00:00:00Z",
    }
    assert one(file(json.dumps(printed), "shown.json")) == made


def test_a_connection_of_airbyte_brings_its_schedule_and_says_what_is_left_out(file):
    payload = {
        "connectionId": "0f8c",
        "status": "inactive",
        "scheduleType": "basic",
        "scheduleData": {"basicSchedule": {"units": 6, "timeUnit": "hours"}},
        "syncCatalog": {
            "streams": [
                {
                    "stream": {
                        "name": "orders",
                        "jsonSchema": {"type": "object", "properties": {"id": {"type": "integer"}}},
                        "supportedSyncModes": ["full_refresh", "incremental"],
                        "defaultCursorField": [],
                        "sourceDefinedPrimaryKey": [["id"]],
                    },
                    "config": {
                        "syncMode": "full_refresh",
                        "destinationSyncMode": "overwrite",
                        "selected": False,
                    },
                }
            ]
        },
    }
    row = {"name": "a", "source_name": "A", "source_type": "postgres", "payload": payload}
    found = read_pipelines(file(json.dumps(row), "row.json"), nothing_wrong)
    (made,) = found.definitions
    assert (made.paused, made.timing.text, made.streams) == (True, "every 21600 s", ())
    assert made.payload.sync_catalog.streams[0].stream.json_schema.model_extra == {
        "type": "object",
        "properties": {"id": {"type": "integer"}},
    }
    assert found.notes == ("row.json: payload.connectionId has no meaning here and was left out",)


@pytest.mark.parametrize(
    ("payload", "problem"),
    [
        (
            {"scheduleType": "cron", "scheduleData": {"cron": {"cronExpression": "0 0 12 * * ?"}}},
            "a Quartz expression",
        ),
        ({"schedule": {"units": 1, "timeUnit": "moons"}}, "expected units and a timeUnit of minutes"),
        ({"status": "deprecated"}, "a connection that was deleted there"),
        ("{", "neither an object nor the text of one"),
        (5, "payload: not an object"),
    ],
)
def test_what_cannot_be_taken_over_is_said(file, payload, problem):
    row = {"name": "a", "source_name": "A", "source_type": "postgres", "payload": payload}
    (line,) = lines(file(json.dumps(row), "row.json"))
    assert problem in line


def test_a_file_holds_any_number_of_definitions(file):
    many = "{name: a, type: rest_api}\n---\n- {name: b, type: rest_api}\n- {name: c, type: rest_api}\n"
    found = read_pipelines(file(many), nothing_wrong).definitions
    assert [made.name for made in found] == ["a", "b", "c"]


def test_every_problem_of_every_definition_is_named_at_once_with_file_field_and_value(file):
    text = """
        name: Shop Orders
        type: postgres
        interval: soon
        lag: -3
        sceduled: daily
        connection: {password: hunter2}
        streams:
          - {name: a, mode: incremental, write: overwrite}
          - {name: b, mode: everything}
          - {nome: c}
        ---
        {name: b, schedule: "61 * * * *", type: x, interval: 1h}
        ---
        - just words
        """
    found = "\n".join(lines(file(text)))
    for expected in (
        "pipelines.yaml, definition 1: name = 'Shop Orders': expected up to 128 lower-case letters",
        "definition 1: interval = 'soon': expected a duration such as 90s, 15m, 6h or 2d",
        "definition 1: lag = -3: input should be greater than or equal to 0",
        "definition 1: sceduled: unknown field; did you mean schedule?",
        "definition 1: connection.password: holds a secret; write `env:NAME`",
        "definition 1: streams.0: an incremental stream cannot overwrite",
        "definition 1: streams.1.mode = 'everything': input should be 'full_refresh' or 'incremental'",
        "definition 1: streams.2.nome: unknown field; did you mean name?",
        "definition 1: streams.2.name: is required",
        "definition 2: schedule = '61 * * * *': not a cron expression",
        "definition 3: definition: expected fields and their values",
    ):
        assert expected in found
    assert "hunter2" not in found


def test_what_the_domain_finds_wrong_is_named_beside_the_rest(file):
    def check(definition: Pipeline) -> list[Problem]:
        return [Problem("connection.host", "is required")] if definition.name == "b" else []

    text = "{name: a, type: x}\n---\n{name: b, type: x}\n---\n{name: a, type: x}\n"
    with pytest.raises(DefinitionError) as caught:
        read_pipelines(file(text), check)
    assert str(caught.value).splitlines() == [
        "2 problems in what was defined:",
        "  pipelines.yaml, definition 2: connection.host: is required",
        "  pipelines.yaml, definition 3: name = 'a': there twice in this file",
    ]


@pytest.mark.parametrize(
    ("name", "text", "problem"),
    [
        ("a.yaml", "name: a\nname: b\n", "line 2: the field name is there twice"),
        ("a.json", '{"name": "a", "name": "b"}', "the field name is there twice"),
        ("a.yaml", "a: &x [1]\nb: *x\n", "aliases"),
        ("a.yaml", "a: [1\n", "not YAML"),
        ("a.json", '{"a": NaN}', "NaN is not a value of JSON"),
        ("a.json", "{", "line 1: not JSON"),
        ("a.yaml", "1: a\n", "the name of a field is not a text"),
        ("a.yaml", "", "holds no definition"),
        ("a.json", "[]", "holds no definition"),
        ("a.yaml", "a: !!python/object/apply:os.system [x]\n", "not YAML"),
    ],
)
def test_a_file_that_cannot_be_read_is_told_with_the_line(file, name, text, problem):
    with pytest.raises(DocumentError, match=r"a\.(yaml|json): ") as caught:
        read_pipelines(file(text, name), nothing_wrong)
    assert problem in str(caught.value)


def test_a_file_that_is_not_there_or_no_text_is_told(tmp_path):
    with pytest.raises(DocumentError, match="No such file"):
        read_pipelines(tmp_path / "none.yaml", nothing_wrong)
    (tmp_path / "bytes.yaml").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(DocumentError, match="not a text in UTF-8"):
        read_pipelines(tmp_path / "bytes.yaml", nothing_wrong)


def test_words_of_yaml_stay_words(file):
    """`no` is a country and `2026-01-01` a text, unless a field says that it is a day."""
    text = "{name: a, type: x, connection: {country: no, since: 2026-01-01, deep: on}}"
    assert one(file(text)).connection == {"country": "no", "since": "2026-01-01", "deep": "on"}
