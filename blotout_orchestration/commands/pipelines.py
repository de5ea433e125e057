"""`blotout pipelines`: add, list, show, pause, resume, remove, test.

Belongs here: the command line of this registry. What the commands do is in registries.py.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from blotout_orchestration.commands.common import ListFormat
from blotout_orchestration.commands.registries import Commands

pipelines_app = typer.Typer(
    no_args_is_help=True, help="ELT pipelines: sources that are loaded on their own schedule."
)
Name = Annotated[str, typer.Argument(metavar="NAME", help="Name of the pipeline.")]


def _commands() -> Commands:
    from blotout_orchestration.commands import registry_hooks
    from blotout_orchestration.platform import registry
    from blotout_orchestration.platform.registry.files import read_pipelines

    return Commands(
        word="pipeline",
        registry=registry.PIPELINES,
        hooks=registry_hooks.PIPELINES,
        read=read_pipelines,
        put=registry.add_pipelines,
        header=("source", "type", "streams"),
        cells=lambda one: (one.source_name, one.source_type, str(len(one.streams) or "all")),
    )


@pipelines_app.command("add")
def add(
    file: Annotated[
        Path, typer.Argument(metavar="FILE", help="YAML or JSON file with one or more pipelines.")
    ],
) -> None:
    """Add or replace the pipelines of FILE, all or none; everything that is wrong is said at once."""
    _commands().add(file)


@pipelines_app.command("list")
def list_(
    format_: Annotated[ListFormat, typer.Option("--format", help="How to print them.")] = ListFormat.TABLE,
) -> None:
    """List the pipelines with when they run and whether they are paused."""
    _commands().show_all(format_)


@pipelines_app.command("show")
def show(name: Name) -> None:
    """Print the definition of a pipeline; secrets are references."""
    _commands().show(name)


@pipelines_app.command("pause")
def pause(name: Name) -> None:
    """Let a pipeline run no more by itself; a run that is under way goes on."""
    _commands().set_paused(name, True)


@pipelines_app.command("resume")
def resume(name: Name) -> None:
    """Let a paused pipeline run again; times that were missed count once."""
    _commands().set_paused(name, False)


@pipelines_app.command("remove")
def remove(name: Name) -> None:
    """Take a pipeline out; its tables, runs and history stay."""
    _commands().remove(name)


@pipelines_app.command("test")
def test(
    name: Annotated[
        str, typer.Argument(metavar="NAME|FILE", help="A pipeline, or a file before it is added.")
    ],
) -> None:
    """Connect and show what is there, without writing anything."""
    _commands().test(name)
