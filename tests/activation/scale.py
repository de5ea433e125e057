"""The measured part of test_scale.py: two syncs of a large audience; the figures as JSON on the last line.

Run as `python -m tests.activation.scale REAL_DATA HOME MEMBERS`.
"""

from __future__ import annotations

import json
import multiprocessing
import os
import resource
import sys
from pathlib import Path
from typing import Any

import pyarrow as pa


def _serve(real_data: str, pipe: Any) -> None:
    """The fake in a process of its own, so that its memory is not ours; time goes by as the caller says."""
    from tests.activation.fakes.klaviyo import FakeKlaviyo
    from tests.activation.fakes.openapi import Contract, cut

    now = [0.0]
    fake = FakeKlaviyo(Contract(cut(Path(real_data))), lambda: now[0])
    fake.job_seconds, fake.validated_profiles = 20.0, 100
    throttled = 0
    original = fake.throttled

    def counted() -> Any:
        nonlocal throttled
        throttled += 1
        return original()

    fake.throttled = counted  # type: ignore[method-assign]
    pipe.send(fake.url)
    while True:
        asked, value = pipe.recv()
        if asked == "time":
            now[0] = value
            pipe.send(None)
        elif asked == "facts":
            imports = [one for one in fake.requests if one.method == "POST"]
            pipe.send(
                {
                    "members": len(fake.members()),
                    "imported": fake.imported,
                    "import_calls": len(imports),
                    "throttled": throttled,
                    "problems": fake.problems,
                }
            )
            fake.requests.clear()
        else:
            fake.close()
            return


def _peak() -> float:
    """Most memory that the process has held, MB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def _people(first: int, last: int, changed: int) -> pa.Table:
    from tests.activation.helpers import PEOPLE

    numbers = range(first, last)
    columns = {
        "email": [f"person{i}@example.com" for i in numbers],
        "first_name": [f"Name{i}{'x' if i - first < changed else ''}" for i in numbers],
    }
    empty = {name: pa.nulls(last - first) for name in ("phone", "orders", "agreed")}
    return pa.table(columns | empty).select(PEOPLE.arrow_schema.names).cast(PEOPLE.arrow_schema)


def _main() -> None:
    real_data, home, members = sys.argv[1], Path(sys.argv[2]), int(sys.argv[3])
    os.environ["KLAVIYO_KEY"] = "pk_test"
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    server = context.Process(target=_serve, args=(real_data, theirs), daemon=True)
    server.start()
    url = ours.recv()

    from pyiceberg.expressions import AlwaysTrue

    from blotout_orchestration.activation.sync import sync_channel
    from blotout_orchestration.lake import Lake
    from blotout_orchestration.settings import Settings
    from tests.activation.helpers import PEOPLE, SimulatedClock, channel

    class SharedClock(SimulatedClock):
        def sleep(self, seconds: float) -> None:
            super().sleep(seconds)
            ours.send(("time", self.elapsed))
            ours.recv()

    def ask() -> dict[str, Any]:
        ours.send(("facts", None))
        facts: dict[str, Any] = ours.recv()
        assert facts["problems"] == [], facts["problems"][:5]
        return facts

    settings = Settings(_env_file=None, blotout_home=home, organisation="shop", environment="test")
    lake, clock = Lake(settings), SharedClock()
    defined = channel(
        "klaviyo", connection={"api_key": "env:KLAVIYO_KEY", "host": url}, options={"list_id": "LIST1"}
    )
    lake.replace(PEOPLE, _people(0, members, 0), AlwaysTrue(), {})
    before = _peak()
    first = sync_channel(settings, lake, defined, "first", clock=clock)
    growth = _peak() - before
    facts, elapsed = ask(), clock.elapsed
    # Half a per cent leaves, half a per cent comes, half a per cent changes: one per cent is sent.
    moved = members // 200
    # A sync knows its own calls only; the next one comes minutes later.
    clock.sleep(600.0)
    resumed = clock.elapsed
    lake.replace(PEOPLE, _people(moved, members + moved, moved), AlwaysTrue(), {})
    second = sync_channel(settings, lake, defined, "second", clock=clock)
    after = ask()
    batches = -(-members // 10_000)
    figures = {
        "members": facts["members"],
        "sent": first.sent,
        "import_calls": facts["import_calls"],
        "throttled": facts["throttled"] + after["throttled"],
        "seconds_at_klaviyo": round(elapsed, 1),
        # Ten jobs at work at once, 20 simulated seconds each, found at most one poll late, 10 calls a second.
        "allowed_seconds": (20.0 + 30.0) * -(-batches // 10) + 5.0,
        "second_sent": second.sent,
        "second_removed": second.removed,
        "second_imported": after["imported"] - facts["imported"],
        "second_members": after["members"],
        "second_seconds": round(clock.elapsed - resumed, 1),
        "memory_growth_mb": round(growth),
        "memory_mb": round(_peak()),
    }
    ours.send(("end", None))
    print(json.dumps(figures))


if __name__ == "__main__":
    _main()
