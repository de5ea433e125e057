"""Whether the tables that models stand on are there, before dbt is started.

Belongs here: the check and its message. Lake tables need none: where nothing was written yet they are empty.
Does not belong here: tables whose last build went wrong (unfinished.py).
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from typing import Any

from blotout_orchestration.analytics.unfinished import UNIFIED_LAYER
from blotout_orchestration.errors import BlotoutError

SHOWN = 5
"""Missing tables that the message names."""


class MissingInputError(BlotoutError):
    """Models stand on tables of the warehouse that no run has made yet."""


def check_inputs(
    connection: Any,
    schema: str,
    project: Mapping[str, Iterable[str]],
    models: Collection[str],
    *,
    given: Collection[str],
    jobs: Mapping[str, str],
) -> None:
    """Refuse to build `models` while a table that they stand on is not in the schema of the warehouse.

    `project` gives the inputs of each model of the layer, `given` names those that are always there, `jobs` the
    job that makes a table; what it leaves out is of the unified layer. Raises MissingInputError naming tables
    and jobs.
    """
    wanted = {name for model in models for name in project[model]} - set(models) - set(given)
    if not wanted:
        return
    rows = connection.execute(
        "select table_name from information_schema.tables"
        " where table_schema = ? and table_catalog = current_catalog()",
        [schema],
    ).fetchall()
    missing = sorted(wanted - {name for (name,) in rows})
    if missing:
        named = ", ".join(missing[:SHOWN])
        more = f" and {len(missing) - SHOWN} more" if len(missing) > SHOWN else ""
        makers = sorted({jobs.get(name, UNIFIED_LAYER) for name in missing})
        raise MissingInputError(
            f"the warehouse has no table {named}{more} yet: run {' and '.join(makers)} first"
        )
