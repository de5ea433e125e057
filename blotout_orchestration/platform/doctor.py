"""The doctor: every configured connection tried, a finding each.

Belongs here: which checks there are, and that none can hang, raise, or show a secret. What a check does is
in doctor_checks.py and doctor_services.py.
"""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

from blotout_orchestration.platform import doctor_checks as checks
from blotout_orchestration.platform.doctor_checks import Finding
from blotout_orchestration.platform.doctor_services import service_checks
from blotout_orchestration.platform.variables import scrubbed
from blotout_orchestration.settings import ENV_FILE, Settings

DEADLINE_SECONDS = 60.0
"""How long one check may take; the slowest, starting Java, takes a few seconds on an idle machine."""

Check = Callable[[Settings], Finding]


def checks_for(settings: Settings, env_file: Path = ENV_FILE) -> dict[str, Check]:
    """The checks that these settings call for, by the name of what they try."""
    chosen: dict[str, Check] = {
        "settings": lambda _: checks.variables(env_file),
        "ground": checks.ground,
        "home": checks.home,
        "catalog": checks.catalog,
        "lake": checks.lake,
        "warehouse": checks.warehouse,
        "published warehouse": checks.published,
        "dagster": checks.dagster,
    }
    if "spark" in (settings.events_engine, settings.stitching_engine):
        chosen["spark"] = checks.spark
        if settings.spark_master.startswith("spark://"):
            chosen["spark master"] = checks.spark_master
    if checks.on_aws(settings):
        chosen["aws account"] = checks.aws_account
        chosen["aws secrets"] = checks.aws_secrets
    return chosen | service_checks(settings)


def examine(
    settings: Settings, env_file: Path = ENV_FILE, deadline: float = DEADLINE_SECONDS
) -> Iterator[tuple[str, Finding]]:
    """Name and finding of each check, as they come; a check that hangs or breaks is a finding as well."""
    for name, check in checks_for(settings, env_file).items():
        finding = _within(check, settings, deadline)
        yield name, Finding(finding.state, scrubbed(settings, finding.text))


def _within(check: Check, settings: Settings, deadline: float) -> Finding:
    """Run a check in a thread that is left behind when it hangs."""
    answers: queue.Queue[Finding] = queue.Queue()

    def attempt() -> None:
        try:
            answers.put(check(settings))
        except Exception as error:
            answers.put(Finding("wrong", f"{type(error).__name__}: {checks.reason(error)}"))

    threading.Thread(target=attempt, daemon=True).start()
    try:
        return answers.get(timeout=deadline)
    except queue.Empty:
        return Finding("wrong", f"no answer within {deadline:g} s; is the host reachable?")
