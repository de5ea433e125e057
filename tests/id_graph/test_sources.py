"""Ids of the click stream and of the ELT contract become edges, and only changed sources are read again."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pyarrow as pa
from pyiceberg.expressions import AlwaysTrue

from blotout_orchestration.elt.contract import CRM_PROFILES, ID_MAPPINGS, OFFLINE_EVENTS
from blotout_orchestration.events.contract import CORE_EVENTS, EVENT_HOURS
from blotout_orchestration.id_graph.contract import ID_EDGES, ID_GRAPH
from blotout_orchestration.id_graph.stitch import stitch
from blotout_orchestration.lake import Lake, TableSpec

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


def _put(lake: Lake, spec: TableSpec, *rows: dict[str, Any]) -> None:
    lake.replace(spec, pa.Table.from_pylist(list(rows), schema=spec.arrow_schema), AlwaysTrue(), {})


def _hour(lake: Lake, *events: dict[str, Any], revision: str = "1") -> None:
    rows = [{"arrival_hour": NOON, "received_at": NOON, **event} for event in events]
    _put(lake, CORE_EVENTS, *rows)
    _put(lake, EVENT_HOURS, {"arrival_hour": NOON, "revision": revision})


def _people(lake: Lake) -> list[list[str]]:
    people: dict[str, list[str]] = {}
    for row in lake.read(ID_GRAPH).to_pylist():
        if not row["id_type"].endswith("sha256"):
            people.setdefault(row["global_user_id"], []).append(
                f"{row['provider'] or row['id_type']}:{row['id']}"
            )
    return sorted(sorted(ids) for ids in people.values())


def test_every_id_of_an_event_is_linked_to_its_browser(lake: Lake) -> None:
    _hour(
        lake,
        {"user_id": "u1", "data_map_id": " 77 ", "data_map_provider": "Shopify"},
        {
            "user_id": "u1",
            "persona_email": "Ann@Shop.com",
            "persona_number": "5550101021",
            "persona_country": "US",
        },
        {"user_id": "u1", "persona_id": "P9", "search_twclid": "tw1", "search_gclid": "g1"},
        {"user_id": "u2"},
        {"user_id": "u3", "persona_email": "test@test.com", "data_map_id": "nan", "data_map_provider": "x"},
        {"user_id": None, "persona_email": "ann@shop.com", "data_map_id": "5", "data_map_provider": "crm"},
    )
    stitch(lake, run_id="test")
    assert _people(lake) == [
        [
            "crm:5",
            "email:ann@shop.com",
            "gclid:g1",
            "persona:P9",
            "phone:+15550101021",
            "shopify:77",
            "twclid:tw1",
            "user_id:u1",
        ],
        ["user_id:u2"],
        ["user_id:u3"],
    ]


def test_click_ids_of_earlier_landings_link_browsers_as_those_of_this_one(lake: Lake) -> None:
    _hour(
        lake,
        {"user_id": "u1", "search_gclid": "g1", "search_fbclid": "f1"},
        {"user_id": "u2", "stored_gclid": "g1", "stored_fbclid": "f2"},
        {"user_id": "u3", "search_fbclid": "f3", "stored_fbclid": "f2"},
        {"user_id": "u4", "search_gclid": "g4", "stored_gclid": "g4"},
    )
    stitch(lake, run_id="test")
    assert _people(lake) == [
        ["fbclid:f1", "fbclid:f2", "fbclid:f3", "gclid:g1", "user_id:u1", "user_id:u2", "user_id:u3"],
        ["gclid:g4", "user_id:u4"],
    ]
    edges = [row for row in lake.read(ID_EDGES).to_pylist() if row["id_b"] and row["id_a"] == "u4"]
    assert [(row["id_b_type"], row["source"], row["count"]) for row in edges] == [
        ("gclid", "core_events.gclid", 1)
    ]


def test_hours_that_an_older_version_flattened_are_read_without_its_missing_columns(lake: Lake) -> None:
    older = replace(
        CORE_EVENTS,
        columns=tuple(column for column in CORE_EVENTS.columns if not column.name.startswith("stored_")),
    )
    event = {"arrival_hour": NOON, "received_at": NOON, "user_id": "u1", "search_gclid": "g1"}
    _put(lake, older, event)
    _put(lake, EVENT_HOURS, {"arrival_hour": NOON, "revision": "1"})
    stitch(lake, run_id="test")
    assert _people(lake) == [["gclid:g1", "user_id:u1"]]


def test_offline_sources_join_what_the_click_stream_cannot(lake: Lake) -> None:
    _hour(
        lake,
        {"user_id": "u1", "data_map_id": "77", "data_map_provider": "shopify"},
        {"user_id": "u2", "persona_email": "ann@shop.com"},
    )
    person = {"source_name": "crm", "profile_id": "A1", "profile_id_provider": "hubspot", "created_at": NOON}
    _put(lake, CRM_PROFILES, {**person, "email": "ANN@shop.com", "phone": "+15550101021"})
    mapping = {"source_name": "shop", "id_a": "77", "id_a_type": "map_id", "id_a_provider": "shopify"}
    _put(
        lake,
        ID_MAPPINGS,
        {**mapping, "id_b": "A1", "id_b_type": "map_id", "id_b_provider": "hubspot", "seen_at": NOON},
    )
    order = {"source_name": "shop", "event_id": "o1", "event_datetime": NOON, "person_id": "88"}
    _put(lake, OFFLINE_EVENTS, {**order, "person_id_type": "map_id", "person_id_provider": "shopify"})
    stitch(lake, run_id="test")
    assert _people(lake) == [
        ["email:ann@shop.com", "hubspot:A1", "phone:+15550101021", "shopify:77", "user_id:u1", "user_id:u2"],
        ["shopify:88"],
    ]
    sources = {row["source"] for row in lake.read(ID_EDGES).to_pylist()}
    assert {"crm_profiles.crm", "id_mappings.shop", "offline_events.shop", "core_events.map_id"} <= sources


def test_only_the_sources_that_changed_are_replaced(lake: Lake) -> None:
    one = {"source_name": "one", "profile_id": "A", "profile_id_provider": "one", "email": "ann@shop.com"}
    two = {"source_name": "two", "profile_id": "B", "profile_id_provider": "two", "email": "ann@shop.com"}
    _put(lake, CRM_PROFILES, {**one, "created_at": NOON}, {**two, "created_at": NOON})
    stitch(lake, run_id="1")
    _put(lake, CRM_PROFILES, {**one, "created_at": NOON}, {**two, "created_at": NOON})
    assert stitch(lake, run_id="same rows, another snapshot").changed_batches == 0
    _put(
        lake, CRM_PROFILES, {**one, "created_at": NOON}, {**two, "email": "bob@shop.com", "created_at": NOON}
    )
    assert stitch(lake, run_id="2").changed_batches == 1
    assert _people(lake) == [["email:ann@shop.com", "one:A"], ["email:bob@shop.com", "two:B"]]


def test_an_hour_that_ran_again_without_a_link_takes_the_link_back(lake: Lake) -> None:
    link = {"user_id": "u1", "data_map_id": "77", "data_map_provider": "shopify"}
    _hour(lake, link, {"user_id": "u2", "data_map_id": "77", "data_map_provider": "shopify"})
    stitch(lake, run_id="1")
    assert len(_people(lake)) == 1
    _hour(lake, link, {"user_id": "u2"}, revision="2")
    result = stitch(lake, run_id="2")
    assert _people(lake) == [["shopify:77", "user_id:u1"], ["user_id:u2"]]
    assert (result.splits, result.merges) == (1, 0)
