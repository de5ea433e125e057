"""Flatten synthetic requests: the DuckDB engine against the bare DuckDB query and against Spark local.

    python benchmarks/flatten.py [--lines 2000000] [--files 96] [--engines bare,duckdb,spark] [--json FILE]

Every engine runs in a process of its own; CPU seconds are those of the process and its children. The bare
query does what no flattening can do without: read and unpack the lines, check and parse the JSON of request and
body, unnest the events, type every column of the contract that stands in the document, write Parquet. It parses
no user agents, URLs or channels, keeps no unknown keys, finds no duplicates, and commits nothing.
"""

from __future__ import annotations

import argparse
import gzip
import json
import random
import resource
import subprocess
import sys
import tempfile
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

START = datetime(2026, 3, 2, tzinfo=UTC)
AGENTS = [
    f"Mozilla/5.0 ({system}) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/{version}.0.0.0 {rest}"
    for system, rest in (
        ("Windows NT 10.0; Win64; x64", "Safari/537.36"),
        ("Macintosh; Intel Mac OS X 10_15_7", "Safari/537.36"),
        ("Linux; Android 10; K", "Mobile Safari/537.36"),
    )
    for version in range(100, 145)
]
CAMPAIGNS = [
    "",
    "?utm_source=google&utm_medium=cpc&utm_campaign=spring_sale&gclid=Cj0K{}",
    "?utm_source=facebook&utm_medium=paid_social&utm_campaign=prospecting&fbclid=IwAR{}",
    "?utm_source=newsletter&utm_medium=email&utm_campaign=march",
]
REFERRERS = ["https://www.google.com/", "https://l.facebook.com/", "https://t.co/", ""]
EVENTS = [
    ("sdk_start", 11130, "system", {}),
    (
        "visibility_hidden",
        11132,
        "system",
        {
            "position": {"x": -1, "y": -1, "width": -1, "height": -1},
            "mouse": {"x": -1, "y": -1},
            "objectTitle": "Toy Shop",
            "objectName": "#document",
        },
    ),
    (
        "click",
        11119,
        "system",
        {
            "position": {"x": 19, "y": 180, "width": 90, "height": 21},
            "mouse": {"x": 52, "y": 91},
            "objectTitle": "Add to cart",
            "objectName": "BUTTON#add.btn",
        },
    ),
    ("add_to_cart", 24251, "codified", {"item_id": "TOY-006", "quantity": 1, "price": 19.99}),
    (
        "transaction",
        21002,
        "codified",
        {
            "transaction_id": "#1",
            "transaction_currency": "USD",
            "transaction_payment": "card",
            "transaction_total": 213.24,
            "transaction_tax": 16.25,
        },
    ),
    ("map_id", 21001, "codified", {"map_id": "6870000", "map_provider": "shopify"}),
]


def synthesise(landing: Path, lines: int, files: int, seed: int = 7) -> int:
    """Write `lines` requests of about 1 KB as gzip files over 24 hours; bytes before packing."""
    chance = random.Random(seed)
    size = 0
    each = -(-lines // files)
    written = 0
    for number in range(files):
        hour = START + timedelta(hours=number * 24 // files)
        folder = landing / hour.strftime("year=%Y/month=%m/day=%d/hour=%H")
        folder.mkdir(parents=True, exist_ok=True)
        with gzip.open(folder / f"part-{number:04d}.jsonl.gz", "wb", compresslevel=4) as stream:
            for _ in range(min(each, lines - written)):
                line = _line(chance, written, hour)
                size += len(line)
                stream.write(line)
                written += 1
    return size


def _line(chance: random.Random, number: int, hour: datetime) -> bytes:
    name, code, kind, data = EVENTS[int(chance.random() ** 2 * len(EVENTS))]
    visitor = chance.randrange(50_000)
    moment = int(hour.timestamp() * 1000) + chance.randrange(3_600_000)
    page = f"https://www.toyshop.example/p/TOY-{chance.randrange(1000):03d}"
    search = CAMPAIGNS[visitor % 4].format(f"{visitor:032d}")
    user = f"fcf6cb83-1e2f-4c4b-8920-{visitor:012d}-1772434802232-341c05a3"
    body = {
        "meta": {
            "sdkv": "0.10.2",
            "tz_offset": -360,
            "user_agent": AGENTS[visitor % len(AGENTS)],
            "page_title": "Toy Shop",
            "referrer": REFERRERS[visitor % 4],
            **({"search": search} if search else {}),
        },
        "events": [
            {
                "mid": f"c2RrX3N0YXJ0-{number:012d}-{chance.getrandbits(64):016x}",
                "userid": user,
                "evn": name,
                "evcs": code,
                "scrn": page,
                "evt": moment,
                "session_id": str(1772434801644 + visitor),
                "type": kind,
                "screen": {"width": 1440, "height": 789, "docHeight": 1910, "docWidth": 1440},
                "additionalData": data,
            }
        ],
    }
    received = datetime.fromtimestamp(moment / 1000, UTC).isoformat(timespec="milliseconds")
    request = {
        "received_at": received.replace("+00:00", "Z"),
        "path": "/sdk/v1/events/publish?token=TOYSHOPTOKEN001",
        "headers": {
            "User-Agent": AGENTS[visitor % len(AGENTS)],
            "Origin": "https://www.toyshop.example",
            "CloudFront-Viewer-Country": "US",
        },
        "body": json.dumps(body, separators=(",", ":")),
    }
    return json.dumps(request, separators=(",", ":")).encode() + b"\n"


BARE = """
copy (
  with lines as (
    select content as line, filename from read_csv({files}, columns = {{'content': 'VARCHAR'}}, delim = chr(1),
      quote = '', escape = '', header = false, auto_detect = false, filename = true,
      max_line_size = 10000000, strict_mode = false)
  ), requests as (
    select line, filename, case when json_valid(line) then from_json(line, '{request}') end as r from lines
  ), bodies as (
    select filename, r.received_at as received_at, r.headers as h, line,
      case when json_valid(r.body) then from_json(r.body, '{body}') end as b from requests
  ), events as (
    select * exclude (b), b.meta as m, unnest(b.events) as e, line from bodies
  )
  select filename, {columns}, case when e is null then line end as bad_line from events
) to '{target}' (format parquet, compression zstd)
"""
CASTS = {
    "int": "try_cast({} as integer)",
    "pixels": "try_cast({} as integer)",
    "money": "try_cast({} as decimal(18,4))",
    "double": "try_cast({} as double)",
    "epoch": "make_timestamptz(try_cast({} as bigint) * 1000)",
}


def bare_query(landing: Path, target: Path) -> str:
    """The bare engine query: every column of the contract that a 0.10 document holds, typed, as Parquet.

    Each document is checked and parsed once, the event's data with it. Left out is what the flattening adds:
    EdgeTag and the older format, unknown keys, type conflicts, hashes, parsed user agents and URLs, channels.
    """
    from blotout_orchestration.events.fields import EVENT, GROUPS, HEADERS, META_KEYS, REQUEST

    data = {
        column: (kind, own[0])
        for group in GROUPS.values()
        for column, (kind, own, _) in group.columns.items()
    }
    event = {**EVENT, "additionalData": dict.fromkeys([key for _, key in data.values()], "VARCHAR")}
    body = {"meta": dict.fromkeys(META_KEYS, "VARCHAR"), "events": [event]}
    request = {**REQUEST, "headers": dict.fromkeys(HEADERS, "VARCHAR")}
    envelope = {
        "event_id": ("text", "e.mid"),
        "sdk_version": ("text", "m.sdkv"),
        "event_name": ("text", "e.evn"),
        "event_code": ("int", "e.evcs"),
        "event_type": ("text", "e.type"),
        "event_datetime": ("epoch", "e.evt"),
        "timezone_offset_minutes": ("int", "m.tz_offset"),
        "session_id": ("text", "e.session_id"),
        "user_id": ("text", "e.userid"),
        "user_id_created": ("epoch", "m.user_id_created"),
        "app_name": ("text", "m.appn"),
        "os_name": ("text", "m.osn"),
        "platform_code": ("int", "m.plf"),
        "page_url": ("text", "e.scrn"),
        "page_title": ("text", "m.page_title"),
        "referrer_url": ("text", "m.referrer"),
        "search": ("text", "m.search"),
        "user_agent": ("text", 'coalesce(m.user_agent, h."User-Agent")'),
        "headers_origin": ("text", 'h."Origin"'),
        "forwarded_for": ("text", 'h."X-Forwarded-For"'),
        "cookie": ("text", 'h."Cookie"'),
        "country": ("text", 'coalesce(h."CloudFront-Viewer-Country", h."CF-IPCountry")'),
        "screen_width": ("pixels", "e.screen.width"),
        "screen_height": ("pixels", "e.screen.height"),
        **{column: (kind, f'e.additionalData."{key}"') for column, (kind, key) in data.items()},
    }
    columns = ["try_cast(received_at as timestamptz) as received_at"]
    columns += [
        f"{CASTS.get(kind, '{}').format(source)} as {column}" for column, (kind, source) in envelope.items()
    ]
    files = sorted(str(path) for path in landing.rglob("*.gz"))
    return BARE.format(
        files=files,
        request=json.dumps(request),
        body=json.dumps(body),
        columns=", ".join(columns),
        target=target,
    )


def run_engine(engine: str, home: Path, landing: Path) -> int:
    """Flatten in this process; rows written."""
    if engine == "bare":
        import duckdb

        connection = duckdb.connect()
        connection.execute("set TimeZone = 'UTC'")
        connection.execute("set preserve_insertion_order = false")
        connection.execute(bare_query(landing, home / "bare.parquet"))
        return int(connection.execute(f"select count(*) from '{home / 'bare.parquet'}'").fetchall()[0][0])
    from blotout_orchestration.events.processing import flatten_hours, pending_hours
    from blotout_orchestration.lake import Lake
    from blotout_orchestration.settings import Settings

    lake = Lake(Settings(_env_file=None, blotout_home=home, spark_master="local[2]"))  # type: ignore[call-arg]
    target = Path(lake.layer("landing"))
    target.parent.mkdir(parents=True, exist_ok=True)
    target.symlink_to(landing, target_is_directory=True)
    results = flatten_hours(
        lake,
        pending_hours(lake),
        engine=engine,  # type: ignore[arg-type]
        run_id="benchmark",
        progress=lambda text: print(f"  {text}", file=sys.stderr, flush=True),
    )
    return sum(result.events_good for result in results)


def measure(engine: str, landing: Path, folder: Path) -> dict[str, float | int | str]:
    """Run one engine in a process of its own; seconds, CPU seconds, peak resident GB."""
    home = folder / engine
    home.mkdir()
    command = [sys.executable, __file__, "--run", engine, "--home", str(home), "--landing", str(landing)]
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    started = time.monotonic()
    process = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
    wall = time.monotonic() - started
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    rows, peak = process.stdout.split()[-2:]
    return {
        "engine": engine,
        "rows": int(rows),
        "wall_seconds": round(wall, 1),
        "cpu_seconds": round(cpu, 1),
        "peak_gb": round(int(peak) / 1e6, 2),
    }


def main() -> None:
    """Synthesise, measure, print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--lines", type=int, default=2_000_000)
    parser.add_argument("--files", type=int, default=96)
    parser.add_argument("--engines", default="bare,duckdb,spark")
    parser.add_argument("--json", type=Path)
    parser.add_argument("--run", help=argparse.SUPPRESS)
    parser.add_argument("--home", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--landing", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.run:
        rows = run_engine(options.run, options.home, options.landing)
        usage = [
            resource.getrusage(who).ru_maxrss for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)
        ]
        print(rows, max(usage))
        return
    with tempfile.TemporaryDirectory(prefix="blotout-bench-") as text:
        folder = Path(text)
        print(f"writing {options.lines:,} requests into {options.files} files ...", flush=True)
        size = synthesise(folder / "landing", options.lines, options.files)
        print(f"{size / options.lines:,.0f} bytes a line, {size / 1e9:.2f} GB unpacked", flush=True)
        figures = []
        for engine in options.engines.split(","):
            figures.append(measure(engine, folder / "landing", folder))
            print(f"{engine} done in {figures[-1]['wall_seconds']} s", flush=True)
    base = next((row["cpu_seconds"] for row in figures if row["engine"] == "bare"), None)
    print(f"\n{'engine':<8}{'rows':>12}{'wall s':>9}{'CPU s':>9}{'peak GB':>9}{'x bare CPU':>12}")
    for row in figures:
        ratio = f"{float(row['cpu_seconds']) / float(base):.2f}" if base else "-"
        print(
            f"{row['engine']:<8}{row['rows']:>12,}{row['wall_seconds']:>9}{row['cpu_seconds']:>9}"
            f"{row['peak_gb']:>9}{ratio:>12}"
        )
    if options.json:
        options.json.write_text(json.dumps({"lines": options.lines, "engines": figures}, indent=2))


if __name__ == "__main__":
    main()
