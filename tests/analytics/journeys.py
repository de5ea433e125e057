"""Journeys that the tests of the data-driven models share."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from hypothesis import strategies as st

from blotout_orchestration.analytics.paths import Journey, merged

CHANNELS = ("Direct", "Email", "Organic Search", "Paid Search", "Referral")


def recorded_table(real_data: Path) -> Any:
    """The recorded conversion paths as a pandas table: path, conversions, value, nulls."""
    import pandas

    return pandas.read_csv(real_data / "mta" / "paths.csv.gz")


def recorded_journeys(real_data: Path) -> list[Journey]:
    """The recorded conversion paths as journeys."""
    return merged(
        Journey(tuple(path.split(" > ")), conversions, value, nulls)
        for path, conversions, value, nulls in recorded_table(real_data).itertuples(index=False)
    )


def journeys() -> st.SearchStrategy[list[Journey]]:
    """Lists of journeys over five channels, some without a touch, some that never convert."""
    one = st.builds(
        lambda touches, conversions, price, nulls: Journey(
            tuple(touches), float(conversions), conversions * price / 100, float(nulls)
        ),
        st.lists(st.sampled_from(CHANNELS), max_size=5),
        st.integers(0, 20),
        st.integers(1, 50_000),
        st.integers(0, 20),
    )
    return st.lists(one, max_size=12)
