"""How dbt is called: where the project lies, with which arguments and environment, and its manifest.

Belongs here: paths and pure functions of the settings, and the prebuilt manifest from which assets are made.
Knows nothing of Dagster, and runs no models. Everything that dbt writes goes below BLOTOUT_HOME/dbt, because
the clone may be read-only.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from contextlib import suppress
from importlib.metadata import version
from pathlib import Path
from urllib.parse import urlsplit

from blotout_orchestration.errors import BlotoutError
from blotout_orchestration.settings import Settings

PROJECT_FOLDER = Path(__file__).resolve().parents[2] / "dbt_project"

JOB_SELECTORS = {
    "events_unified_view": "tag:events_unified_view",
    "attribution": "tag:attribution",
    "campaign": "tag:campaign",
    "retention": "tag:retention",
    "derived_views": "tag:derived_views",
}
"""What each job builds, as dbt's `--select` has it."""

_PROJECT_SUFFIXES = (".sql", ".yml", ".yaml", ".md", ".csv", ".py")
_KEPT_MANIFESTS = 3
KEPT_RUNS = 20
"""Runs whose compiled SQL, results and dbt.log are kept below BLOTOUT_HOME/dbt/runs; one takes 4 to 13 MB."""


class DbtError(BlotoutError):
    """dbt refused the project or a run of it; the message ends with what dbt said."""


def dbt_folder(settings: Settings) -> Path:
    """Where dbt writes: manifests, compiled SQL, logs."""
    return settings.blotout_home.absolute() / "dbt"


def dbt_arguments(
    command: str,
    settings: Settings,
    *,
    select: Sequence[str] = (),
    exclude: Sequence[str] = (),
    full_refresh: bool = False,
    variables: Mapping[str, object] | None = None,
    target_path: Path | None = None,
) -> list[str]:
    """Arguments of one dbt invocation, without the program's name: `["build", "--project-dir", ...]`.

    `select` and `exclude` are dbt node selectors. A command of several words (`docs generate`) is split.
    """
    folder = dbt_folder(settings)
    arguments = [
        *command.split(),
        *("--project-dir", str(PROJECT_FOLDER), "--profiles-dir", str(PROJECT_FOLDER)),
        *("--target", settings.warehouse),
        *("--target-path", str(target_path or folder / "target"), "--log-path", str(folder / "logs")),
    ]
    if select:
        arguments += ["--select", *select]
    if exclude:
        arguments += ["--exclude", *exclude]
    if full_refresh:
        arguments.append("--full-refresh")
    if variables:
        arguments += ["--vars", json.dumps(dict(variables), sort_keys=True)]
    return arguments


def dbt_environment(settings: Settings) -> dict[str, str]:
    """What profiles.yml and dbt itself read from the environment; to be laid over the process's own."""
    lake = settings.lake_root
    bucket = settings.namespace.replace("_", "-")
    aws = lake.rstrip("/") in ("s3:", "s3")
    trino = urlsplit(settings.trino_uri)
    # A unit test that is killed leaves a table on a server, and every later build fails on it.
    kinds_left_out = {} if settings.warehouse == "duckdb" else {"DBT_EXCLUDE_RESOURCE_TYPES": "unit_test"}
    return kinds_left_out | {
        "BLOTOUT_DBT_TARGET": settings.warehouse,
        "BLOTOUT_DBT_WAREHOUSE": str(settings.warehouse_path),
        "BLOTOUT_DBT_SCHEMA": settings.namespace,
        "BLOTOUT_DBT_CATALOG": trino.path[1:] if settings.warehouse == "trino" else "awsdatacatalog",
        "BLOTOUT_DBT_TRINO_SCHEME": trino.scheme,
        "BLOTOUT_DBT_TRINO_HOST": str(trino.hostname),
        "BLOTOUT_DBT_TRINO_PORT": str(trino.port),
        "BLOTOUT_DBT_TRINO_USER": str(trino.username),
        "BLOTOUT_DBT_REGION": settings.aws_region,
        "BLOTOUT_DBT_ATHENA_DATA": f"s3://b-{bucket}-processed/dbt/" if aws else f"{lake}/processed/dbt/",
        "BLOTOUT_DBT_ATHENA_LOGS": f"s3://b-{bucket}-athena-logs/" if aws else f"{lake}/athena-logs/",
        "DBT_SEND_ANONYMOUS_USAGE_STATS": "false",
        "DBT_USE_COLORS": "false",
        "PATH": os.pathsep.join((str(Path(sys.executable).parent), os.defpath)),
    }


def project_fingerprint(settings: Settings) -> str:
    """A hash of everything the manifest depends on: project files, dbt's version, environment."""
    digest = hashlib.sha256()
    for path in sorted(PROJECT_FOLDER.rglob("*")):
        if path.suffix in _PROJECT_SUFFIXES and path.is_file():
            digest.update(f"{path.relative_to(PROJECT_FOLDER)}\0".encode())
            digest.update(hashlib.sha256(path.read_bytes()).digest())
    facts = {"dbt": version("dbt-core"), "project": str(PROJECT_FOLDER), **dbt_environment(settings)}
    digest.update(json.dumps(facts, sort_keys=True).encode())
    return digest.hexdigest()[:16]


def ensure_manifest(settings: Settings) -> Path:
    """The manifest of the project as it is now, parsed only when project, dbt or settings have changed.

    Several processes may ask at once: each parses into a folder of its own, the first to finish wins.
    Raises DbtError when dbt refuses the project.
    """
    manifests = dbt_folder(settings) / "manifests"
    folder = manifests / project_fingerprint(settings)
    if not (folder / "manifest.json").is_file():
        manifests.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=".parsing-", dir=manifests) as name:
            parsed = Path(name) / "target"
            run_dbt("parse", settings, target_path=parsed)
            try:
                parsed.rename(folder)
            except OSError:
                if not (folder / "manifest.json").is_file():
                    raise
        _forget_old(manifests, _KEPT_MANIFESTS, keep=folder)
    return folder / "manifest.json"


def _forget_old(parent: Path, kept: int, keep: Path) -> None:
    """Remove all folders but the newest ones and `keep`: one an edit or a run would gather.

    Another process may remove the same ones at the same time.
    """
    found: list[tuple[float, Path]] = []
    for path in parent.iterdir():
        with suppress(FileNotFoundError):
            if not path.name.startswith(".") and path != keep:
                found.append((path.stat().st_mtime, path))
    for _, folder in sorted(found, reverse=True)[kept - 1 :]:
        shutil.rmtree(folder, ignore_errors=True)


def dbt_executable() -> str:
    """The `dbt` of this environment."""
    return str(Path(sys.executable).with_name("dbt"))


def new_target_folder(settings: Settings, run_id: str, step: str, manifest: Path) -> Path:
    """A target folder for one invocation, with the parsed project in it so that dbt need not parse again.

    The folders of all but the newest `KEPT_RUNS` runs are removed.
    """
    runs = dbt_folder(settings) / "runs"
    folder = runs / run_id / step
    folder.mkdir(parents=True, exist_ok=True)
    _forget_old(runs, KEPT_RUNS, keep=runs / run_id)
    parsed = manifest.with_name("partial_parse.msgpack")
    if parsed.is_file():
        shutil.copyfile(parsed, folder / parsed.name)
    return folder


def run_dbt(
    command: str,
    settings: Settings,
    *,
    select: Sequence[str] = (),
    full_refresh: bool = False,
    target_path: Path | None = None,
) -> str:
    """Run dbt in a process of its own and return what it printed. Raises DbtError when it fails."""
    arguments = dbt_arguments(
        command, settings, select=select, full_refresh=full_refresh, target_path=target_path
    )
    finished = subprocess.run(
        [dbt_executable(), "--no-use-colors", *arguments],
        env=dbt_environment(settings),
        capture_output=True,
        text=True,
        check=False,
    )
    if finished.returncode != 0:
        said = "\n".join((finished.stdout + finished.stderr).strip().splitlines()[-40:])
        raise DbtError(f"dbt {command} failed (exit code {finished.returncode}):\n{said}")
    return finished.stdout
