"""What processes that a step starts report back to its run, through Dagster Pipes.

Belongs here: Dagster's end of it. The other end, within a Spark job, is `spark_jobs.job_reporter`.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from dagster import AssetExecutionContext

from blotout_orchestration.settings import exported


@contextmanager
def children_report(context: AssetExecutionContext) -> Iterator[None]:
    """Let the processes that are started meanwhile write to the run's log while they run."""
    from dagster import PipesEnvContextInjector, PipesTempFileMessageReader, open_pipes_session

    with (
        open_pipes_session(context, PipesEnvContextInjector(), PipesTempFileMessageReader()) as session,
        exported(session.get_bootstrap_env_vars()),
    ):
        yield
