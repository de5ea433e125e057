"""The steps of `one_time_setup`: what must be there, whether it is, and making it.

Belongs here: the embedded and general steps, in the order in which they are done. Buckets and the mail identity
of AWS are in setup_aws.py. Every step makes only what is missing, so running it again changes nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from pyarrow import fs as pafs

from blotout_orchestration.lake import Lake
from blotout_orchestration.lake.layers import LAYERS, filesystem
from blotout_orchestration.lake.tables import ensure_namespace
from blotout_orchestration.maintenance.inventory import declared_tables
from blotout_orchestration.platform import database
from blotout_orchestration.platform.registry import (
    CHANNEL_PARTITIONS,
    PIPELINE_PARTITIONS,
    live_channels,
    live_pipelines,
)
from blotout_orchestration.platform.setup import database_is_missing

if TYPE_CHECKING:
    from dagster import DagsterInstance

MAXIMUM_KEYS: Final = 500
"""Partition keys that are added at once: tens of thousands in one call fail on SQLite."""


@dataclass(frozen=True)
class Step:
    """One kind of thing that must be there.

    `targets` names what must be there, `exists` looks, `make` makes one; `skipped` says why the step has
    nothing to do on this ground.
    """

    name: str
    targets: Callable[[], Sequence[str]]
    exists: Callable[[str], bool]
    make: Callable[[str], None]
    skipped: str = ""


def skipped_step(name: str, reason: str) -> Step:
    """A step that has nothing to do on this ground."""
    return Step(name, tuple, lambda target: True, lambda target: None, reason)


def all_steps(lake: Lake, instance: DagsterInstance) -> list[Step]:
    """Every step in order: what comes later may need what comes before."""
    from blotout_orchestration.maintenance.setup_aws import bucket_steps, mail_step
    from blotout_orchestration.maintenance.setup_superset import superset_step

    layers = bucket_steps(lake) if "://" in lake.settings.lake_root else [_folders(lake)]
    return [
        *layers,
        _database(lake),
        _schema(lake),
        _tables(lake),
        *_partitions(lake, instance),
        mail_step(lake.settings),
        superset_step(lake.settings),
    ]


def _folders(lake: Lake) -> Step:
    def exists(location: str) -> bool:
        store, path = filesystem(location)
        return bool(store.get_file_info(path).type == pafs.FileType.Directory)

    def make(location: str) -> None:
        store, path = filesystem(location)
        store.create_dir(path, recursive=True)

    return Step("layers", lambda: [lake.layer(name) for name in LAYERS], exists, make)


def _database(lake: Lake) -> Step:
    """The registries, the audit log and the rest of the platform's database, at the newest revision."""

    def at_newest(_: str) -> bool:
        if database_is_missing(lake.settings):
            return False
        found, newest = database.revisions(database.platform_database(lake.settings))
        return found == newest

    return Step("database", lambda: ["registries and migrations"], at_newest, lambda _: _migrate(lake))


def _migrate(lake: Lake) -> None:
    database.migrate(database.platform_database(lake.settings))


def _schema(lake: Lake) -> Step:
    return Step(
        "catalog",
        lambda: [f"schema {lake.namespace}"],
        lambda target: (lake.namespace,) in [tuple(name) for name in lake.catalog.list_namespaces()],
        lambda target: ensure_namespace(lake.catalog, lake.namespace),
    )


def _tables(lake: Lake) -> Step:
    def make(name: str) -> None:
        lake.ensure(declared_tables()[name])

    return Step("tables", lambda: list(declared_tables()), lake.exists, make)


def _partitions(lake: Lake, instance: DagsterInstance) -> list[Step]:
    """The partition sets of the registries; new keys follow by sensors, this makes the first ones."""

    def step(name: str, keys: Callable[[], Sequence[str]]) -> Step:
        def missing() -> list[str]:
            known = set(instance.get_dynamic_partitions(name))
            return [key for key in keys() if key not in known]

        def make(target: str) -> None:
            found = missing()
            for start in range(0, len(found), MAXIMUM_KEYS):
                instance.add_dynamic_partitions(name, found[start : start + MAXIMUM_KEYS])

        return Step(f"partitions {name}", lambda: [name], lambda target: not missing(), make)

    return [
        step(PIPELINE_PARTITIONS, lambda: list(live_pipelines(lake.settings))),
        step(CHANNEL_PARTITIONS, lambda: list(live_channels(lake.settings))),
    ]
