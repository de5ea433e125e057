"""The SQL of the six rule models, as the dbt models use it, on recorded paths with known answers."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import duckdb
import jinja2
import pytest

from .journeys import recorded_table

MACROS = Path(__file__).resolve().parents[2] / "dbt_project" / "macros" / "reports"


@pytest.fixture(scope="module")
def credited(real_data: Path) -> dict[str, dict[str, float]]:
    """Conversions by model and channel, from the production macro over the touches of every path."""
    source = (MACROS / "rule_model_credits.sql").read_text()
    template = jinja2.Environment().from_string(source, globals={"var": lambda name, default: default})
    macros: Any = template.module
    paths = recorded_table(real_data)
    with duckdb.connect() as connection:
        connection.register("paths", paths)
        rows = connection.execute(
            f"""
            with listed as (
              select row_number() over () as conversion_key, total_conversions, string_split(path, ' > ') as names
              from paths
            ),
            touches as (
              select conversion_key, unnest(names) as channel, unnest(range(1, len(names) + 1)) as touch_number,
                len(names) as touch_count, false as is_direct, 0 as seconds_before_conversion
              from listed
            )
            select credits.model, touches.channel, sum(credits.credit * listed.total_conversions)
            from ({macros.rule_model_credits("touches")}) as credits
            join touches using (conversion_key, touch_number)
            join listed using (conversion_key)
            group by all
            """
        ).fetchall()
    found: dict[str, dict[str, float]] = {}
    for model, channel, conversions in rows:
        found.setdefault(model, {})[channel] = conversions
    return found


def test_every_model_distributes_all_conversions(credited: dict[str, dict[str, float]]) -> None:
    models = {"first_touch", "last_touch", "last_non_direct", "linear", "position_based", "time_decay"}
    assert set(credited) == models
    for model in models:
        assert sum(credited[model].values()) == pytest.approx(19_785), model


@pytest.mark.parametrize(
    ("model", "known"),
    [
        ("first_touch", {"alpha": 6_308, "iota": 4_606, "eta": 3_164}),
        ("last_touch", {"alpha": 8_447, "eta": 4_167, "iota": 3_355}),
        ("last_non_direct", {"alpha": 8_447, "eta": 4_167, "iota": 3_355}),
        ("linear", {"alpha": 7_574.72}),
    ],
)
def test_recorded_paths_give_the_published_figures(
    credited: dict[str, dict[str, float]], model: str, known: dict[str, float]
) -> None:
    for channel, conversions in known.items():
        assert credited[model][channel] == pytest.approx(conversions, abs=0.006), channel


def test_without_any_pause_time_decay_is_linear(credited: dict[str, dict[str, float]]) -> None:
    assert credited["time_decay"] == pytest.approx(credited["linear"])
