"""What a process that a step starts reports back to its run, through Dagster Pipes.

Belongs here: Dagster's end of it. The other end, within a Spark job, is `spark_driver.job_reporter`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from dagster import OpExecutionContext

FIGURES = "figures"
"""Key of a custom message that holds figures by name; `job` names what reports them."""


@contextmanager
def child_reports() -> Iterator[Mapping[str, str]]:
    """The variables by which one process, started meanwhile, reports to the run of the present step.

    Its log lines are in the run's log while it works, its figures are an event there when it has ended. None
    outside a Dagster step: then the process tells its own log. A session is for one process: Dagster takes
    what a second one says for messages after the end.
    """
    context = _present_step()
    if context is None:
        yield {}
        return
    from dagster import PipesEnvContextInjector, PipesTempFileMessageReader, open_pipes_session

    with open_pipes_session(context, PipesEnvContextInjector(), PipesTempFileMessageReader()) as session:
        yield session.get_bootstrap_env_vars()
    for message in session.get_custom_messages():
        if isinstance(message, dict) and FIGURES in message:
            _log_figures(context, str(message.get("job")), message[FIGURES])


def _present_step() -> OpExecutionContext | None:
    from dagster import DagsterInvariantViolationError, OpExecutionContext

    try:
        return OpExecutionContext.get()
    except DagsterInvariantViolationError:
        return None


def _log_figures(context: OpExecutionContext, job: str, figures: dict[str, Any]) -> None:
    """An event of the run rather than metadata of its assets: a step may submit a job several times."""
    from dagster import DagsterEvent
    from dagster._core.events import EngineEventData

    DagsterEvent.engine_event(
        context.get_step_execution_context(),
        f"{job}: " + ", ".join(f"{value} {name}" for name, value in figures.items()),
        EngineEventData(metadata=figures),
    )
