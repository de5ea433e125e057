"""The Dagster home of the embedded ground.

Belongs here: making BLOTOUT_HOME/dagster what Dagster needs, and opening the instance in it. Runs are in
runs.py.
"""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import TYPE_CHECKING

from blotout_orchestration.errors import BlotoutError
from blotout_orchestration.settings import Settings

if TYPE_CHECKING:
    from dagster import DagsterInstance

REPOSITORY = Path(__file__).resolve().parents[2]


def instance_file() -> Path:
    """The `dagster.yaml` of the clone. Raises BlotoutError when it is not there."""
    path = REPOSITORY / "dagster.yaml"
    if not path.is_file():
        raise BlotoutError(f"{path} is missing; run from a clone of the repository")
    return path


def prepare_home(settings: Settings) -> Path:
    """Make the Dagster home, with the repository's `dagster.yaml` in it, and return it.

    A `dagster.yaml` that was edited there is kept: only a copy that equals an older default is renewed,
    which is told by the marker file beside it.
    """
    home = settings.blotout_home.absolute() / "dagster"
    home.mkdir(parents=True, exist_ok=True)
    source, copy, marker = instance_file(), home / "dagster.yaml", home / ".dagster.yaml.default"
    untouched = not copy.exists() or (marker.exists() and copy.read_bytes() == marker.read_bytes())
    if untouched and (not copy.exists() or copy.read_bytes() != source.read_bytes()):
        for target in (copy, marker):
            temporary = target.with_suffix(".tmp")
            shutil.copyfile(source, temporary)
            temporary.replace(target)
    return home


def open_instance(settings: Settings) -> DagsterInstance:
    """The Dagster instance of this deployment, the same one that the UI shows."""
    from dagster import DagsterInstance

    return DagsterInstance.from_config(str(prepare_home(settings)))
