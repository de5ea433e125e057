"""`blotout run`: a job from the command line, to its end."""

from __future__ import annotations

from typing import Annotated

import typer

from blotout_orchestration.commands.common import current_settings, echo


def run(
    job: Annotated[str, typer.Argument(help="Name of the job, which is its old DAG name.")],
    hours: Annotated[
        str | None,
        typer.Option(
            "--hours",
            metavar="FROM..TO",
            help="Hours (2026-03-05T17..2026-03-06T02) or days (2026-03-05..2026-03-06), both ends included, UTC. "
            "Without it: all that is not done yet.",
        ),
    ] = None,
    partition: Annotated[
        str | None,
        typer.Option(
            metavar="NAME", help="The pipeline of elt_pipelines, or the channel of activation_channels."
        ),
    ] = None,
    dry_run: Annotated[
        bool | None,
        typer.Option(
            "--dry-run/--no-dry-run",
            help="Only say what would run. Maintenance jobs only report what they would do until --no-dry-run.",
            show_default=False,
        ),
    ] = None,
) -> None:
    """Run a job to its end, with progress. Ends with 1 when the run fails, with 2 for an unknown job."""
    from blotout_orchestration.platform.hours import parse_hours

    interval = parse_hours(hours) if hours is not None else None
    settings = current_settings()
    from blotout_orchestration import job_runner

    if dry_run:
        for line in job_runner.plan_job(job, settings=settings, hours=interval, partition=partition):
            echo(line)
        return
    if not job_runner.run_job(
        job, settings=settings, hours=interval, partition=partition, dry_run=dry_run, echo=echo
    ):
        raise typer.Exit(1)
