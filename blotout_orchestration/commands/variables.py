"""`blotout settings`, `blotout import-variables` and `blotout doctor`."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from blotout_orchestration.commands.common import ListFormat, columns, current_settings, echo


def show_settings(
    format_: Annotated[ListFormat, typer.Option("--format", help="How to print them.")] = ListFormat.TABLE,
) -> None:
    """List every setting: name, value (secrets masked), source and meaning."""
    from blotout_orchestration.platform.variables import list_settings

    listed = list_settings(current_settings())
    if format_ is ListFormat.JSON:
        echo(json.dumps([asdict(item) for item in listed], indent=2, ensure_ascii=False))
        return
    rows = [(item.name, item.value or "(not set)", item.source, item.meaning) for item in listed]
    echo(columns(("name", "value", "source", "meaning"), rows))


def import_variables(
    export: Annotated[
        Path, typer.Argument(help="File that `airflow variables export` wrote.", metavar="VARIABLES.JSON")
    ],
    output: Annotated[Path, typer.Option("--output", help="The .env file to write.")] = Path(".env"),
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only report.")] = False,
    force: Annotated[bool, typer.Option("--force", help="Replace differing values in the file.")] = False,
) -> None:
    """Take over the variables of Airflow into an .env file, and report what became of each.

    Ends with 1 when a variable was invalid, or stands in conflict with the file (then nothing is written).
    """
    from blotout_orchestration import env_file
    from blotout_orchestration.platform.variables import FATES, plan_import

    report = plan_import(export, output, force=force)
    rows = [
        (item.fate, item.name, item.value, item.note)
        for fate in FATES
        for item in report.variables
        if item.fate == fate
    ]
    if rows:
        echo(columns(("result", "name", "value", "note"), rows) + "\n")
    for fate, explanation in FATES.items():
        if report.count(fate):
            echo(f"{report.count(fate)} {fate}: {explanation}")
    if report.text is None:
        echo(f"{output} was not changed")
    elif dry_run:
        echo(f"{output} was not changed (dry run)")
    else:
        env_file.write(output, report.text)
        echo(f"{output} written")
    if report.count("invalid") or report.count("conflict"):
        raise typer.Exit(1)


def doctor() -> None:
    """Try every configured connection and say in one line each what is wrong and what to do.

    Ends with 1 when something is wrong; warnings alone end with 0.
    """
    from blotout_orchestration.platform.doctor import examine

    failed = 0
    for name, finding in examine(current_settings()):
        color = {"ok": typer.colors.GREEN, "warning": typer.colors.YELLOW}.get(
            finding.state, typer.colors.RED
        )
        typer.echo(f"{typer.style(finding.state.ljust(7), fg=color)}  {name}: {finding.text}")
        failed += finding.state == "wrong"
    if failed:
        raise typer.Exit(1)
