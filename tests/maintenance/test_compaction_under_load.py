"""Compaction while others append, replace hours, expire snapshots and scan; and on a year of a real shop."""

from __future__ import annotations

import random
import threading
from collections import Counter
from collections.abc import Callable
from datetime import datetime, timedelta
from decimal import Decimal
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest
from pyiceberg.expressions import AlwaysFalse

from blotout_orchestration.lake import Lake, TableSpec
from blotout_orchestration.lake.compaction import FilesChangedError, plan_groups, rewrite_group
from blotout_orchestration.lake.expiry import expirable_snapshots, expire
from blotout_orchestration.lake.rewriting import checksum
from blotout_orchestration.lake.tables import Column
from blotout_orchestration.maintenance.inventory import sort_columns
from tests.maintenance.lakes import CLICKS, EAGER, FIRST_HOUR, NOW, clicks, full_name, land_hour

DAYS, HOURS, ROUNDS, ROWS = 13, 24, 50, 20


class Writer:
    """Replaces the first twelve hours of days and appends to the others, and knows what must be there."""

    def __init__(self, lake: Lake) -> None:
        self.lake = Lake(lake.settings)
        self.random = random.Random(7)
        self.expected: Counter[int] = Counter()
        self.by_hour: dict[datetime, set[int]] = {}
        self.next = 0

    def rows(self, hour: datetime, count: int = ROWS) -> pa.Table:
        self.next += 1
        return clicks(hour, count, self.next * 1000)

    def append(self, *hours: datetime) -> None:
        """One commit; a file for each day."""
        tables = [self.rows(hour) for hour in hours]
        self.lake.append(CLICKS, pa.concat_tables(tables), {"run_id": "append"})
        for hour, rows in zip(hours, tables, strict=True):
            self.expected.update(rows["number"].to_pylist())
            self.by_hour.setdefault(hour, set()).update(rows["number"].to_pylist())

    def replace(self, hour: datetime) -> None:
        rows = self.rows(hour)
        land_hour(self.lake, hour, rows)
        self.expected.subtract(self.by_hour.get(hour, set()))
        self.expected.update(rows["number"].to_pylist())
        self.by_hour[hour] = set(rows["number"].to_pylist())

    def hour(self, day: int, hour: int) -> datetime:
        return FIRST_HOUR + timedelta(days=day, hours=hour)

    def one_round(self) -> None:
        for _ in range(2):
            self.append(self.hour(self.random.randrange(DAYS), self.random.randrange(12, HOURS)))
        self.replace(self.hour(self.random.randrange(DAYS), self.random.randrange(12)))
        self.append(self.hour(self.random.randrange(DAYS), self.random.randrange(12, HOURS)))


class Reader:
    """Plans the files of the newest snapshot again and again, and reads them one plan later."""

    def __init__(self, lake: Lake) -> None:
        self.lake = Lake(lake.settings)
        self.planned = self.lake.files(CLICKS)
        self.scans = 0
        self.seen = 0
        self.differences: list[str] = []

    def scan(self) -> None:
        files, self.planned = self.planned, self.lake.files(CLICKS)
        listing = ", ".join(f"'{path}'" for path in files)
        found = (
            duckdb.connect()
            .execute(
                "select count(*), count(distinct number),"
                " count(distinct case when hour(arrival_hour at time zone 'UTC') < 12 then number // 1000 end),"
                " count(distinct case when hour(arrival_hour at time zone 'UTC') < 12 then arrival_hour end)"
                f" from read_parquet([{listing}], union_by_name = true)"
            )
            .fetchone()
        )
        rows, distinct, versions, hours = found
        if rows != distinct:
            self.differences.append(f"{rows - distinct} rows twice")
        if rows < self.seen or rows % ROWS:
            self.differences.append(f"{rows} rows after {self.seen}")
        if versions != hours or hours != DAYS * 12:
            self.differences.append(f"{versions} versions of {hours} hours")
        self.seen, self.scans = rows, self.scans + 1


def until(stop: threading.Event, action: Callable[[], None], errors: list[BaseException]) -> threading.Thread:
    """Run an action again and again in a thread until it is told to stop; an error ends it and is kept."""

    def loop() -> None:
        try:
            while not stop.wait(0.05):
                action()
        except BaseException as error:
            errors.append(error)

    thread = threading.Thread(target=loop)
    thread.start()
    return thread


def compact_everything(lake: Lake) -> Counter[str]:
    table, outcomes = lake.catalog.load_table(full_name(lake)), Counter[str]()
    for group in plan_groups(table, EAGER, sort_columns(table), NOW):
        try:
            rewrite_group(lake.catalog, full_name(lake), group.bins, sort_columns(table), {"run_id": "c"})
            outcomes["compacted"] += 1
        except FilesChangedError:
            outcomes["overtaken"] += 1
    old = expirable_snapshots(
        lake.catalog.load_table(full_name(lake)), NOW.replace(year=2099), timedelta(), 30
    )
    expire(lake.catalog, full_name(lake), old)
    return outcomes


@pytest.mark.heavy
def test_fifty_rounds_of_compaction_among_writers_and_readers_differ_in_nothing(lake):
    writer = Writer(lake)
    for hour in range(HOURS):
        writer.append(*(writer.hour(day, hour) for day in range(DAYS)))
    assert len(lake.files(CLICKS)) == DAYS * HOURS >= 300
    reader, outcomes = Reader(lake), Counter[str]()
    errors: list[BaseException] = []
    for _ in range(ROUNDS):
        stop = threading.Event()
        scanning = until(stop, reader.scan, errors)
        writing = threading.Thread(target=writer.one_round)
        writing.start()
        try:
            outcomes += compact_everything(lake)
        finally:
            writing.join()
            stop.set()
            scanning.join()
        found = Counter(lake.read(CLICKS, columns=("number",))["number"].to_pylist())
        assert found == +writer.expected
    assert errors == []
    assert reader.differences == []
    assert reader.scans >= ROUNDS / 2
    assert outcomes["compacted"] > ROUNDS
    compact_everything(lake)
    assert len(lake.files(CLICKS)) == DAYS


RETAIL = TableSpec(
    "retail",
    "Orders of a gift shop, a file a day.",
    (
        Column("InvoiceNo", "string", "Invoice; C... is a cancellation."),
        Column("StockCode", "string", "Article."),
        Column("Description", "string", "Text of the article."),
        Column("Quantity", "long", "Pieces."),
        Column("InvoiceDate", "timestamp", "When it was ordered."),
        Column("UnitPrice", "double", "Price of a piece."),
        Column("CustomerID", "long", "Customer; null when unknown."),
        Column("Country", "string", "Country of the customer."),
    ),
    properties={"blotout.sort-by": "InvoiceDate,InvoiceNo"},
)


def figures(lake: Lake) -> tuple[object, ...]:
    """The published figures of the data set, from the table: rows, invoices, customers, unknown, revenue."""
    connection = duckdb.connect()
    connection.register("orders", lake.read(RETAIL))
    found = connection.execute(
        "select count(*), count(distinct InvoiceNo), count(distinct CustomerID),"
        " count(*) - count(CustomerID),"
        " sum(Quantity * UnitPrice::decimal(18, 4))::decimal(18, 2) from orders"
    ).fetchone()
    return tuple(found or ())


@pytest.mark.heavy
def test_a_year_of_a_real_shop_in_305_files_becomes_one_with_the_same_figures(lake: Lake, real_data: Path):
    orders = pq.read_table(real_data / "online_retail" / "online_retail.parquet")
    orders = orders.set_column(4, "InvoiceDate", orders["InvoiceDate"].cast(pa.timestamp("us", tz="UTC")))
    days = orders.append_column("day", orders["InvoiceDate"].cast(pa.date32()))
    folder = Path(lake.ensure(RETAIL).location().removeprefix("file://")) / "data"
    folder.mkdir(parents=True)
    for day in days["day"].unique().to_pylist():
        rows = days.filter(pc.equal(days["day"], pa.scalar(day))).drop(["day"]).cast(RETAIL.arrow_schema)
        pq.write_table(rows, folder / f"{day}.parquet")
    lake.replace_with_files(RETAIL, sorted(map(str, folder.iterdir())), AlwaysFalse(), {"run_id": "retail"})
    assert len(lake.files(RETAIL)) == 305
    known = (541_909, 25_900, 4_372, 135_080, Decimal("9747747.93"))
    before = checksum(lake.read(RETAIL))
    assert figures(lake) == known
    table = lake.catalog.load_table(full_name(lake, RETAIL))
    (group,) = plan_groups(table, EAGER, sort_columns(table), NOW)
    done = rewrite_group(
        lake.catalog, full_name(lake, RETAIL), group.bins, sort_columns(table), {"run_id": "c"}
    )
    assert (done.files_before, done.files_after, done.checksum.rows) == (305, 1, 541_909)
    assert done.checksum == before == checksum(lake.read(RETAIL))
    assert figures(lake) == known
    assert len(lake.files(RETAIL)) == 1
    assert pq.read_table(lake.files(RETAIL)[0])["InvoiceDate"].to_pylist() == sorted(
        orders["InvoiceDate"].to_pylist()
    )
