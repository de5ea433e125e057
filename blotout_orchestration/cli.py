"""`blotout`: the command line, for scripts and people without a browser. Its commands stay stable.

Belongs here: the inventory of commands. Does not belong here: what they do.
"""

from __future__ import annotations

from typing import Annotated

import typer

from blotout_orchestration.commands import backup, events, query, runs, ui, variables, web
from blotout_orchestration.commands.groups import ErrorsAsMessages, domain_group

app = typer.Typer(
    cls=ErrorsAsMessages,
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
    help="The pipelines of the Blotout customer data platform.",
)


@app.callback()
def options(
    debug: Annotated[bool, typer.Option("--debug", help="Show the traceback of an error.")] = False,
) -> None:
    """The pipelines of the Blotout customer data platform."""


app.command("settings")(variables.show_settings)
app.command("import-variables")(variables.import_variables)
app.command("doctor")(variables.doctor)
app.command("land")(events.land)
app.command("run")(runs.run)
app.command("sql")(query.sql)
app.command("ui")(ui.ui)
app.command("web")(web.web)
app.command("backup")(backup.backup)
app.command("restore")(backup.restore)
app.add_typer(web.users_app, name="users")
app.add_typer(events.events_app, name="events")
for name, module, attribute, text in (
    ("activation", "activation.commands", "activation_app", "Run, stop and reset activation channels."),
    ("id-graph", "id_graph.commands", "id_graph_app", "Ask and rebuild the id graph."),
    ("alerts", "commands.alerts", "alerts_app", "What was told and what waits; a test alert."),
    (
        "pipelines",
        "commands.pipelines",
        "pipelines_app",
        "ELT pipelines: sources loaded on their own schedule.",
    ),
    ("channels", "commands.channels", "channels_app", "Activation channels: where audiences are delivered."),
    ("segments", "commands.entities", "segments_app", "Segments: people by what they are and did."),
    ("funnels", "commands.entities", "funnels_app", "Funnels: how far people come, where they drop off."),
    ("demo", "demo.commands", "demo_app", "The demo store: generated data with known truth."),
):
    group = domain_group(f"blotout_orchestration.{module}", attribute)
    app.add_typer(typer.Typer(cls=group, no_args_is_help=True, help=text), name=name)


def main() -> None:
    """Entry point of the `blotout` command; Ctrl-C ends it with 130, as shells expect."""
    try:
        app()
    except KeyboardInterrupt:
        raise SystemExit(130) from None
