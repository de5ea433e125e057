"""`blotout channels`: add, list, show, pause, resume, remove, test.

Belongs here: the command line of this registry. What the commands do is in registries.py.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from blotout_orchestration.commands.common import ListFormat
from blotout_orchestration.commands.registries import Commands

channels_app = typer.Typer(no_args_is_help=True, help="Activation channels: where audiences are delivered.")
Name = Annotated[str, typer.Argument(metavar="NAME", help="Name of the channel.")]


def _commands() -> Commands:
    from blotout_orchestration.commands import registry_hooks
    from blotout_orchestration.platform import registry
    from blotout_orchestration.platform.registry.files import read_channels

    return Commands(
        word="channel",
        registry=registry.CHANNELS,
        hooks=registry_hooks.CHANNELS,
        read=read_channels,
        put=registry.add_channels,
        header=("type", "audience", "mode"),
        cells=lambda one: (one.channel_type, one.audience, one.mode),
    )


@channels_app.command("add")
def add(
    file: Annotated[
        Path, typer.Argument(metavar="FILE", help="YAML or JSON file with one or more channels.")
    ],
) -> None:
    """Add or replace the channels of FILE, all or none; everything that is wrong is said at once."""
    _commands().add(file)


@channels_app.command("list")
def list_(
    format_: Annotated[ListFormat, typer.Option("--format", help="How to print them.")] = ListFormat.TABLE,
) -> None:
    """List the channels with when they run and whether they are paused."""
    _commands().show_all(format_)


@channels_app.command("show")
def show(name: Name) -> None:
    """Print the definition of a channel; secrets are references."""
    _commands().show(name)


@channels_app.command("pause")
def pause(name: Name) -> None:
    """Let a channel run no more by itself; a run that is under way goes on."""
    _commands().set_paused(name, True)


@channels_app.command("resume")
def resume(name: Name) -> None:
    """Let a paused channel run again; times that were missed count once."""
    _commands().set_paused(name, False)


@channels_app.command("remove")
def remove(name: Name) -> None:
    """Take a channel out; its tables, runs and history stay."""
    _commands().remove(name)


@channels_app.command("test")
def test(
    name: Annotated[
        str, typer.Argument(metavar="NAME|FILE", help="A channel, or a file before it is added.")
    ],
) -> None:
    """Connect and show what is there, without writing anything."""
    _commands().test(name)
