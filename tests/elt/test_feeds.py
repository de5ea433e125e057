"""What a source tells the rest of the platform: ids, events, profiles and spend in the contract tables."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from blotout_orchestration.elt.contract import AD_SPEND, CRM_PROFILES, ID_MAPPINGS, OFFLINE_EVENTS
from blotout_orchestration.lake import Lake, TableSpec
from tests.elt.conftest import Database, Load, incremental, pipeline, stream

CREATED = "2026-01-01T00:00:00+00:00"


def rows(lake: Lake, spec: TableSpec, *columns: str) -> list[tuple[Any, ...]]:
    """Distinct rows of a contract table, sorted."""
    found = lake.read(spec, columns=columns).to_pylist()
    return sorted((tuple(row[name] for name in columns) for row in found), key=str)


def commits(lake: Lake, spec: TableSpec) -> int:
    """How often the table was written."""
    return len(lake.catalog.load_table(f"{lake.namespace}.{spec.name}").metadata.snapshots)


def people(database: Database) -> dict[str, Any]:
    """A table of members with two ids of their own each, and the stream that maps them."""
    database.run(
        "create table members (id int primary key, card text, mail text, phone text, created_at timestamptz)",
        f"insert into members values (1, 'C1', ' a@b.example ', null, '{CREATED}'),"
        f" (2, 'C2', null, '', '{CREATED}'), (3, null, null, null, '{CREATED}')",
    )
    mapping = [
        {"map_column": "mail", "map_provider": "email", "map_id": False},
        {"map_column": "id", "map_provider": "crm", "map_id": True},
        {"map_column": "card", "map_provider": "loyalty", "map_id": True},
        {"map_column": "phone", "map_provider": "phone", "map_id": False},
    ]
    return stream("members", metadata={"id_mapping": mapping})


def test_every_map_id_column_and_every_linked_id_is_told(database: Database, lake: Lake, load: Load) -> None:
    load(pipeline("postgres", database.connection, people(database)))
    columns = ("id_a", "id_a_type", "id_a_provider", "id_b", "id_b_type", "id_b_provider")
    assert rows(lake, ID_MAPPINGS, *columns) == [
        ("1", "map_id", "crm", "C1", "map_id", "loyalty"),
        ("1", "map_id", "crm", "a@b.example", "email", None),
        ("2", "map_id", "crm", "C2", "map_id", "loyalty"),
        ("3", "map_id", "crm", None, None, None),
    ]
    assert {row[0] for row in rows(lake, ID_MAPPINGS, "seen_at")} == {datetime(2026, 1, 1, tzinfo=UTC)}


def test_a_load_that_changes_nothing_makes_no_commit_and_a_changed_mapping_does(
    database: Database, lake: Lake, load: Load
) -> None:
    mapped = people(database)
    load(pipeline("postgres", database.connection, mapped))
    assert load(pipeline("postgres", database.connection, mapped)).feeds == {}
    assert commits(lake, ID_MAPPINGS) == 1
    mapped["stream"]["jsonSchema"]["metadata"]["id_mapping"].pop()
    mapped["stream"]["jsonSchema"]["metadata"]["id_mapping"].pop(0)
    assert load(pipeline("postgres", database.connection, mapped)).feeds == {"id_mappings": 3}
    assert rows(lake, ID_MAPPINGS, "id_b") == [("C1",), ("C2",), (None,)]


def test_a_row_with_its_time_is_an_event_of_its_person(database: Database, lake: Lake, load: Load) -> None:
    database.run(
        "create table orders (id int primary key, customer int, mail text, paid_at timestamptz, total text,"
        " cents bigint, lines jsonb, test boolean)",
        "insert into orders values"
        """ (1, 7, 'a@b.example', '2026-02-01', '10.50', 1050, '[{"n": 2, "k": "x"}, {"n": 3, "k": "y"}]', false),"""
        " (2, null, 'c@d.example', '2026-02-02', '20.00', 2000, null, null),"
        " (3, 7, null, null, '30.00', 3000, null, false), (4, 7, null, '2026-02-03', '1', 1, null, true)",
    )
    metadata = {
        "id_mapping": [
            {"map_column": "customer", "map_provider": "shop", "map_id": True},
            {"map_column": "mail", "map_provider": "email", "map_id": False},
        ],
        "event_map": [
            {
                "map_event": "order_completed",
                "map_column": "paid_at",
                "columns": {
                    "transaction_id": "id",
                    "revenue": "total",
                    "currency": "'EUR'",
                    "quantity": "sum(lines[].n)",
                },
            },
            {
                "map_event": "fee",
                "map_column": "paid_at",
                "columns": {"revenue": "-cents / 100", "quantity": "sum(lines[].n where k = x)"},
            },
        ],
    }
    load(pipeline("postgres", database.connection, stream("orders", metadata=metadata)))
    columns = ("event_id", "person_id", "person_id_type", "person_id_provider", "transaction_id", "revenue")
    found = [row for row in rows(lake, OFFLINE_EVENTS, *columns) if "order_completed" in row[0]]
    assert found == [
        ("orders:order_completed:1", "7", "map_id", "shop", "1", Decimal("10.5000")),
        ("orders:order_completed:2", "c@d.example", "email", None, "2", Decimal("20.0000")),
        ("orders:order_completed:4", "7", "map_id", "shop", "4", Decimal("1.0000")),
    ]
    rest = {row[0]: row[1:] for row in rows(lake, OFFLINE_EVENTS, "event_id", "quantity", "currency")}
    assert rest["orders:order_completed:1"] == (5.0, "EUR")
    assert rest["orders:fee:1"] == (2.0, None)
    revenues = {row[0]: row[1] for row in rows(lake, OFFLINE_EVENTS, "event_id", "revenue")}
    assert revenues["orders:fee:2"] == Decimal("-20.0000")


def test_profiles_and_spend_are_filled_from_their_maps(database: Database, lake: Lake, load: Load) -> None:
    database.run(
        "create table contacts (id int primary key, mail text, born text, updated_at timestamptz)",
        f"insert into contacts values (1, 'a@b.example', '1990-02-03', '{CREATED}'), (2, null, '?', null)",
        "create table costs (day date, campaign bigint, micros bigint, shown int)",
        "insert into costs values ('2026-01-01', 5, 12340000, 7)",
        "create table names (campaign bigint, title text, updated_at timestamptz)",
        "insert into names values (5, 'old', '2026-01-01'), (5, 'spring', '2026-01-02')",
    )
    load(
        pipeline(
            "postgres",
            database.connection,
            stream(
                "contacts",
                metadata={
                    "profile_map": {
                        "profile_id": "id",
                        "profile_id_provider": "'crm'",
                        "email": "mail",
                        "birth_date": "born",
                        "phone": "no_such_column",
                    }
                },
            ),
            stream(
                "costs",
                metadata={
                    "spend_map": {
                        "date": "day",
                        "ad_platform": "'google'",
                        "campaign_id": "campaign",
                        "campaign_name": "lookup(names.title where campaign = campaign)",
                        "spend": "micros / 1000000",
                        "impressions": "shown",
                    }
                },
            ),
            stream("names"),
        )
    )
    profiles = rows(lake, CRM_PROFILES, "profile_id", "email", "birth_date", "phone", "source_name")
    assert [(p[0], p[1], str(p[2]), p[3], p[4]) for p in profiles] == [
        ("1", "a@b.example", "1990-02-03", None, "shop"),
        ("2", None, "None", None, "shop"),
    ]
    spend = rows(lake, AD_SPEND, "campaign_id", "campaign_name", "spend", "impressions", "ad_platform")
    assert spend == [("5", "spring", Decimal("12.3400"), 7, "google")]


def test_a_feed_that_was_killed_is_made_up_for_by_the_next_run_without_new_rows(
    database: Database, lake: Lake, load: Load, monkeypatch: Any
) -> None:
    database.run(
        "create table m (id int primary key, at timestamptz)", f"insert into m values (1, '{CREATED}')"
    )
    mapped = incremental(
        "m", "at", metadata={"id_mapping": [{"map_column": "id", "map_provider": "crm", "map_id": True}]}
    )

    def killed(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr("blotout_orchestration.elt.run.feed_source", killed)
        try:
            load(pipeline("postgres", database.connection, mapped))
        except KeyboardInterrupt:
            assert not lake.exists("id_mappings")
    report = load(pipeline("postgres", database.connection, mapped))
    assert report.streams[0].rows_added == 0
    assert report.feeds == {"id_mappings": 1}
