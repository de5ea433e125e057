"""Killed with -9 at any moment, run again: every row once, and the cursor where the rows are."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from blotout_orchestration.lake import Lake
from tests.elt.conftest import Database, Load, incremental, only, pipeline, table

KILLED_AT = (
    "blotout_orchestration.elt.run.conform",
    "blotout_orchestration.elt.commit.write_data_files",
    "blotout_orchestration.elt.commit.commit_load",
    "blotout_orchestration.elt.run.feed_source",
)
PROGRAM = """
import importlib, json, os, signal, sys
from pathlib import Path
from blotout_orchestration.elt.run import load_pipeline
from blotout_orchestration.lake import Lake
from blotout_orchestration.platform.registry import Pipeline
from blotout_orchestration.settings import Settings

home, definition, place, after = sys.argv[1:]
settings = Settings(_env_file=None, blotout_home=Path(home), organisation="shop", environment="test")
module, _, name = place.rpartition(".")
target = importlib.import_module(module)
original = getattr(target, name)

def deadly(*args, **options):
    if after == "after":
        original(*args, **options)
    os.kill(os.getpid(), signal.SIGKILL)

setattr(target, name, deadly)
load_pipeline(settings, Lake(settings), Pipeline.model_validate_json(definition), "killed", print)
"""


@pytest.mark.parametrize("moment", ["before", "after"])
@pytest.mark.parametrize("place", KILLED_AT)
def test_a_killed_load_is_made_up_for_by_the_next_one(
    database: Database, lake: Lake, load: Load, place: str, moment: str
) -> None:
    database.run(
        "create table visits (page text, seen timestamptz)",
        "insert into visits select 'p' || n, timestamptz '2026-01-01' + n * interval '1 minute'"
        " from generate_series(1, 500) n",
    )
    made = pipeline("postgres", database.connection, incremental("visits", "seen"))
    assert only(load(made)).rows_added == 500
    database.run(
        "insert into visits select 'p' || n, timestamptz '2026-01-01' + n * interval '1 minute'"
        " from generate_series(501, 900) n"
    )
    home = str(lake.settings.blotout_home)
    killed = subprocess.run(
        [sys.executable, "-c", PROGRAM, home, made.model_dump_json(by_alias=True), place, moment],
        capture_output=True,
        text=True,
        check=False,
    )
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    assert bool(list(Path(home, "elt").iterdir())) is not place.endswith("feed_source")
    report = only(load(made))
    assert report.rows_in_table == 900
    assert sorted(row[0] for row in table(lake, "visits", "page")) == sorted(f"p{n}" for n in range(1, 901))
    assert only(load(made)).rows_added == 0
    assert list(Path(home, "elt").iterdir()) == []


WHOLE = """
import sys
from pathlib import Path
from blotout_orchestration.elt.run import load_pipeline
from blotout_orchestration.lake import Lake
from blotout_orchestration.platform.registry import Pipeline
from blotout_orchestration.settings import Settings

settings = Settings(_env_file=None, blotout_home=Path(sys.argv[1]), organisation="shop", environment="test")
print("begun", flush=True)
load_pipeline(settings, Lake(settings), Pipeline.model_validate_json(sys.argv[2]), "killed", print)
"""


@pytest.mark.heavy
def test_200_000_rows_with_updates_deletes_new_types_and_columns_and_kills_are_there_once(
    database: Database, lake: Lake, load: Load
) -> None:
    database.run(
        "create table orders (id bigint primary key, customer text, total numeric(10,2), qty int,"
        " updated_at timestamptz, is_deleted boolean default false)",
        "insert into orders select n, 'c' || mod(n, 5000), n / 100.0, mod(n, 7), timestamptz '2026-01-01'"
        " + n * interval '1 second' from generate_series(1, 200000) n",
    )
    made = pipeline(
        "postgres",
        database.connection,
        incremental("orders", "updated_at", options={"deleted_column": "is_deleted"}),
        lag_seconds=60,
    )
    definition = made.model_dump_json(by_alias=True)
    for wait in (0.5, 2.0, 3.5):
        process = subprocess.Popen(
            [sys.executable, "-c", WHOLE, str(lake.settings.blotout_home), definition],
            stdout=subprocess.PIPE,
        )
        assert process.stdout is not None
        process.stdout.readline()
        until = time.monotonic() + wait
        while time.monotonic() < until and process.poll() is None:
            time.sleep(0.05)
        if process.poll() is None:
            os.kill(process.pid, signal.SIGKILL)
        process.wait()
    assert only(load(made)).rows_in_table == 200_000
    database.run(
        "update orders set total = total + 1, updated_at = '2026-02-01' where mod(id, 10) = 0",
        "update orders set is_deleted = true, updated_at = '2026-02-02' where mod(id, 1000) = 1",
        "alter table orders rename column customer to buyer",
        "alter table orders add column note text",
        "alter table orders alter column qty type text using qty::text",
        "insert into orders select n, 'c', 1, 'many', '2026-02-03', false, 'new' from generate_series(200001, 201000) n",
    )
    report = only(load(made))
    assert (report.rows_deleted, report.rows_in_table) == (200, 200_800)
    # 54 rows more: those within the lag that were not updated, for they have a buyer now.
    assert (report.rows_replaced, report.rows_added) == (20_054, 21_054)
    assert set(report.new_columns) == {"buyer", "note", "qty_v_string"}
    held = table(lake, "orders", "id", "total")
    wanted = database.rows("select id, total from orders where not is_deleted order by id")
    assert held == wanted
    again = only(load(made))
    assert (again.rows_added, again.rows_deleted, again.rows_in_table) == (0, 0, 200_800)
