"""Trying a pipeline out: what people see before anything is loaded, and what they must not see."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from blotout_orchestration.elt.messages import ExtractError, masked
from blotout_orchestration.elt.probe import mask, probe
from blotout_orchestration.lake import Lake
from tests.elt.conftest import Database, incremental, pipeline, stream


def test_a_probe_shows_columns_and_a_masked_sample_and_writes_nothing(database: Database, lake: Lake) -> None:
    database.run(
        "create table people (id int primary key, mail text, phone bigint, born date, at timestamptz)",
        "insert into people select n, 'ada' || n || '@b.example', 4915112345678, '1990-01-02', '2026-01-01'"
        " from generate_series(1, 50) n",
    )
    lines = probe(lake.settings, pipeline("postgres", database.connection, incremental("people", "at")))
    text = "\n".join(lines)
    assert lines[0].startswith("connected to database")
    assert "stream people: 5 rows read; columns: id long, mail string, phone long, born date" in text
    assert "xxx9@x.xxxxxxx" in text
    assert "ada" not in text
    assert "4915112345678" not in text
    assert len([line for line in lines if line.startswith("  ")]) == 5
    assert not lake.catalog.namespace_exists("shop_test")
    assert not (lake.settings.blotout_home / "elt").exists()


def test_a_probe_tells_of_every_stream_that_cannot_be_read(database: Database, lake: Lake) -> None:
    database.run("create table good (id int primary key)")
    connection = database.connection
    lines = probe(lake.settings, pipeline("postgres", connection, stream("good"), stream("bad")))
    assert "stream good: 0 rows read" in "\n".join(lines)
    assert "stream bad: " in "\n".join(lines)
    with pytest.raises(ExtractError, match="stream bad"):
        probe(lake.settings, pipeline("postgres", connection, stream("bad")))


@given(st.text(alphabet="abcXYZ019@.-+ é", max_size=40))
def test_a_masked_text_keeps_its_shape_and_nothing_else(text: str) -> None:
    shown = mask(text)
    assert len(shown) == len(text)
    assert not set(shown) & set("abcYZ01é")


@pytest.mark.parametrize(
    ("text", "gone"),
    [
        ("401 for url: https://x.example/a?access_token=abc&x=1", "abc"),
        ("could not reach postgresql://me:pw@host/db", "pw@"),
        ("duplicate ada@b.example", "ada@b.example"),
        ("no such number +491511234567", "+491511234567"),
        ("wrong key s3cret", "s3cret"),
    ],
)
def test_messages_of_clients_are_told_without_secrets_and_persons(text: str, gone: Any) -> None:
    assert gone not in masked(text, ["s3cret"])
