"""`blotout demo ...`: generate the demo store, bring it in, run everything on it, show the figures.

Belongs here: options and output of the commands.
"""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from blotout_orchestration.commands.common import current_settings, echo
from blotout_orchestration.demo.options import DemoOptions
from blotout_orchestration.settings import Settings

MAIN_JOB = "clickstream_to_reports"
demo_app = typer.Typer(no_args_is_help=True, help="The demo store: generated data with known truth.")

Folder = Annotated[Path, typer.Option("--folder", help="Where the store lies.")]
People = Annotated[int, typer.Option(help="Persons.")]
Days = Annotated[int, typer.Option(help="Length of the period, days.")]
Events = Annotated[int, typer.Option(help="Approximate number of events.")]
Seed = Annotated[int, typer.Option(help="Seed; the same options give the same bytes.")]
_DEFAULT = DemoOptions()


def _make(folder: Path, options: DemoOptions) -> None:
    """Generate and write, unless the folder holds this very store."""
    from blotout_orchestration.demo.store import generate, write, written_options

    if written_options(folder) == options:
        echo(f"{folder} holds this demo store")
        return
    echo(f"generating {options.events:,} events of {options.people:,} people over {options.days} days")
    store = generate(options)
    write(store, folder)
    echo(f"wrote {store.truth['events_in']:,} events in {len(store.lines):,} hours of arrival to {folder}")


def _land(settings: Settings, folder: Path) -> None:
    from blotout_orchestration.demo.landed_store import note_store, values_in
    from blotout_orchestration.demo.landing import land_demo
    from blotout_orchestration.lake import Lake

    note_store(settings, values_in(folder))
    landed = land_demo(Lake(settings), folder, progress=echo)
    new = ", ".join(landed.sources) or "nothing new"
    echo(f"landed {landed.files:,} new files; offline sources loaded: {new}")


def _show(settings: Settings, folder: Path | None, started_at: datetime | None = None) -> None:
    from rich.console import Console

    from blotout_orchestration.demo.summary import summarise, summary_table

    figures = summarise(settings, started_at)
    Console().print(summary_table(figures))
    if folder is not None:
        folder.mkdir(parents=True, exist_ok=True)
        written = folder / ".summary.json.tmp"
        written.write_text(json.dumps(figures, indent=2) + "\n", encoding="utf-8")
        written.replace(folder / "summary.json")
        echo(f"figures: {folder / 'summary.json'}; truth: {folder / 'truth.json'}")


@demo_app.command("generate")
def generate_store(
    folder: Folder = Path(".demo"),
    people: People = _DEFAULT.people,
    days: Days = _DEFAULT.days,
    events: Events = _DEFAULT.events,
    seed: Seed = _DEFAULT.seed,
) -> None:
    """Write the demo store and its truth into a folder."""
    _make(folder, DemoOptions(seed=seed, days=days, people=people, events=events))


@demo_app.command("land")
def land_store(folder: Folder = Path(".demo")) -> None:
    """Bring a written demo store into the lake; twice adds nothing, and another store is refused."""
    _land(current_settings(), folder)


@demo_app.command("run")
def run_store(
    folder: Folder = Path(".demo"),
    people: People = _DEFAULT.people,
    days: Days = _DEFAULT.days,
    events: Events = _DEFAULT.events,
    seed: Seed = _DEFAULT.seed,
) -> None:
    """Everything: generate, land, run the main job end to end, show and write the figures."""
    from blotout_orchestration.demo.landed_store import check_store, values_of
    from blotout_orchestration.entities.predefined import create_entities
    from blotout_orchestration.job_runner import run_job

    started_at = datetime.now(UTC)
    settings = current_settings()
    options = DemoOptions(seed=seed, days=days, people=people, events=events)
    check_store(settings, values_of(options))
    _make(folder, options)
    _land(settings, folder)
    # The demo's CRM tables stand for a shop's pipeline, with which its segments and funnels come.
    create_entities(settings, pipelines=["demo"])
    if not run_job(MAIN_JOB, settings=settings, echo=echo):
        raise typer.Exit(1)
    _show(settings, folder, started_at)
    echo("next: `make ui` shows the lineage; `blotout sql 'select * from sessions limit 5'` asks the tables")


@demo_app.command("summary")
def show_summary(
    folder: Annotated[Path | None, typer.Option("--folder", help="Also write summary.json there.")] = None,
) -> None:
    """Show the figures of the lake and the published warehouse."""
    from blotout_orchestration.demo.landed_store import check_store, values_in

    settings = current_settings()
    if folder is not None and (folder / "truth.json").is_file():
        check_store(settings, values_in(folder))
    _show(settings, folder)
