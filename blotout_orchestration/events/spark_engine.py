"""The distributed engine: spark-submit of `spark/flatten_events.py`, and collecting what it wrote.

The job writes its Parquet below the tables' own data folders, where no reader looks until the commit adds
the files; what a killed attempt leaves there is swept with the other unreferenced files. Its plan and what
it reports of its rows are handed over in a folder of the layer `emr`.
"""

from __future__ import annotations

import json
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
from pyarrow import dataset, parquet
from pyarrow import fs as pafs

from blotout_orchestration.events.batches import HourFiles, HourRows
from blotout_orchestration.events.contract import BAD_EVENTS, CORE_EVENTS
from blotout_orchestration.events.deduplication import figures
from blotout_orchestration.events.kernel import connect
from blotout_orchestration.lake import Lake, TableSpec
from blotout_orchestration.lake.layers import filesystem
from blotout_orchestration.platform.spark_folders import work_folder
from blotout_orchestration.platform.spark_jobs import submit, submit_command

JOB = Path(__file__).resolve().parents[2] / "spark" / "flatten_events.py"


def flatten_batch(
    lake: Lake,
    hours: list[HourFiles],
    attempt: str,
    kept: pa.Table | None = None,
) -> HourRows:
    """Run the job for the hours; the rows stay in files that are ready to be committed.

    `kept` are the events (`EVENT_KEYS`) that stay in these hours beside the new rows. Raises `SparkJobError`
    with the first error of the log when the job fails.
    """
    targets = {
        spec.name: f"{lake.ensure(spec).location()}/data/{attempt}" for spec in (CORE_EVENTS, BAD_EVENTS)
    }
    plan: dict[str, Any] = {
        "landing": lake.layer("landing"),
        "hours": [
            {"hour": hour.hour.isoformat(), "files": [[file.path, file.size] for file in hour.files]}
            for hour in hours
        ],
        "core_target": targets["core_events"],
        "bad_target": targets["bad_events"],
    }
    with work_folder(f"{lake.layer('emr')}/flatten_events") as work:
        store, folder = filesystem(work)
        plan["manifest"] = f"{work}/manifest.json"
        plan["kept"] = None if kept is None else f"{work}/kept.parquet"
        if kept is not None:
            parquet.write_table(kept, f"{folder}/kept.parquet", filesystem=store)
        with store.open_output_stream(f"{folder}/plan.json") as stream:
            stream.write(json.dumps(plan).encode())
        submit(submit_command(lake.settings.spark_master, JOB, ["--plan", f"{work}/plan.json"]))
        with store.open_input_stream(f"{folder}/manifest.json") as stream:
            manifest = json.loads(stream.read())
    return _collect(targets, manifest)


def _collect(targets: dict[str, str], manifest: dict[str, Any]) -> HourRows:
    files = {name: _parquet_files(target) for name, target in targets.items()}
    connection = connect()
    tables = [_dataset(files[spec.name], spec) for spec in (CORE_EVENTS, BAD_EVENTS)]
    counts = figures(connection, tables[0], tables[1])
    connection.close()
    duplicates = Counter(
        {datetime.fromtimestamp(int(hour), UTC): count for hour, count in manifest["duplicates"].items()}
    )
    return HourRows(
        found=manifest["found"],
        duplicates=duplicates,
        figures=counts,
        core_files=files["core_events"],
        bad_files=files["bad_events"],
    )


def _parquet_files(target: str) -> list[str]:
    """Locations of the Parquet files below a target that the job wrote."""
    store, root = filesystem(target)
    selector = pafs.FileSelector(root, recursive=True, allow_not_found=True)
    scheme = "" if "://" not in target else target.partition("://")[0] + "://"
    return sorted(
        f"{scheme}{info.path}" for info in store.get_file_info(selector) if info.path.endswith(".parquet")
    )


def _dataset(files: list[str], spec: TableSpec) -> Any:
    if not files:
        return spec.arrow_schema.empty_table()
    store, _ = filesystem(files[0])
    paths = [filesystem(file)[1] for file in files]
    return dataset.dataset(paths, schema=spec.arrow_schema, filesystem=store, format="parquet")
