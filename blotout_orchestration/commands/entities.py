"""`blotout segments` and `blotout funnels`: add, list, show, preview, accept, remove, predefined.

Belongs here: the command line of both; they differ in the kind of definition and in what a preview shows.
"""

from __future__ import annotations

import getpass
import json
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from blotout_orchestration.commands.common import ListFormat, columns, current_settings

if TYPE_CHECKING:
    from blotout_orchestration.entities.definitions import Definition
    from blotout_orchestration.entities.registry import Version
    from blotout_orchestration.settings import Settings

File = Annotated[Path, typer.Argument(metavar="FILE", help="YAML file with one or more definitions.")]
Name = Annotated[str, typer.Argument(metavar="NAME", help="Name of the definition.")]
Target = Annotated[
    str, typer.Argument(metavar="NAME|FILE", help="Name of a definition, or a YAML file with some.")
]
SAMPLE = 5
_FIRST = ("kind", "name", "version", "description", "step", "profile", "property", "event", "operator")


class Dialect(StrEnum):
    """Whose SQL is printed."""

    DUCKDB = "duckdb"
    TRINO = "trino"
    ATHENA = "athena"


def _app(kind: str, text: str) -> typer.Typer:
    app = typer.Typer(no_args_is_help=True, help=text)

    @app.command("add")
    def add(file: File) -> None:
        """Add or change the definitions of FILE, all or none; everything that is wrong is said at once."""
        from blotout_orchestration.entities import registry

        settings = current_settings()
        definitions = _of_kind(file, kind)
        _check(settings, definitions, file)
        for change in registry.add(settings, definitions, getpass.getuser()):
            typer.echo(f"{change.what} {kind} {change.name}, version {change.version}")
        typer.echo("computed with the next run; now: blotout run segments_and_funnels")

    @app.command("list")
    def list_(
        format_: Annotated[
            ListFormat, typer.Option("--format", help="How to print them.")
        ] = ListFormat.TABLE,
    ) -> None:
        """List the definitions that hold, where they come from, and what is offered."""
        rows = _rows(current_settings(), kind)
        if format_ is ListFormat.JSON:
            typer.echo(json.dumps(rows, indent=2))
        elif rows:
            header = ("name", "version", "origin", "offered", "description")
            typer.echo(columns(header, [[str(row[name] or "") for name in header] for row in rows]))
        else:
            typer.echo(f"there is no {kind}; `blotout {kind}s add FILE` or `blotout {kind}s predefined`")

    @app.command("show")
    def show(
        name: Name,
        version: Annotated[
            int | None, typer.Option(help="A version; the one that holds when left out.")
        ] = None,
        sql: Annotated[Dialect | None, typer.Option("--sql", help="Print the query instead.")] = None,
    ) -> None:
        """Print a definition as YAML, ready to be edited and added, or the query it becomes."""
        import yaml

        settings = current_settings()
        found = _version(settings, kind, name, version)
        if sql is not None:
            typer.echo(_query(settings, found.definition(), sql))
            return
        shown = _readable({key: value for key, value in found.payload.items() if key != "version"})
        typer.echo(f"# version {found.number}")
        typer.echo(yaml.safe_dump(shown, sort_keys=False, allow_unicode=True).rstrip())

    @app.command("preview")
    def preview(
        target: Target,
    ) -> None:
        """Compute definitions on the published warehouse without writing anything."""
        settings = current_settings()
        if Path(target).suffix in {".yml", ".yaml"}:
            definitions = _of_kind(Path(target), kind)
        else:
            definitions = [_version(settings, kind, target, None).definition()]
        for definition in definitions:
            for line in _preview(settings, definition):
                typer.echo(line)

    @app.command("accept")
    def accept(name: Name) -> None:
        """Let the offered release of a predefined definition hold."""
        from blotout_orchestration.entities import registry

        change = registry.accept(current_settings(), kind, name, getpass.getuser())
        typer.echo(f"accepted; {kind} {name} is at version {change.version}")

    @app.command("remove")
    def remove(name: Name) -> None:
        """Take a definition out; its versions stay, and it is not created again by itself."""
        from blotout_orchestration.entities import registry

        registry.remove(current_settings(), kind, name, getpass.getuser())
        typer.echo(f"removed {kind} {name}")

    @app.command("predefined")
    def predefined() -> None:
        """Create the predefined segments and funnels now, as entity_creation does for a Shopify pipeline."""
        from blotout_orchestration.entities.predefined import create_entities

        done = create_entities(current_settings(), pipelines=["(asked for by command)"])
        for verb, names in (("created", done.created), ("offered", done.offered)):
            for name in names:
                typer.echo(f"{verb} {name}")
        if not done.created and not done.offered:
            typer.echo("every predefined definition is there")

    return app


def _readable(part: Any) -> Any:
    """The same, with what a mapping is about before what is said of it."""
    if isinstance(part, list):
        return [_readable(item) for item in part]
    if not isinstance(part, dict):
        return part
    ordered = {key: part[key] for key in _FIRST if key in part} | part
    return {key: _readable(value) for key, value in ordered.items()}


def _of_kind(file: Path, kind: str) -> list[Definition]:
    from blotout_orchestration.entities.definitions import read_definitions
    from blotout_orchestration.entities.fields import DefinitionError

    definitions = read_definitions(file)
    if other := [one.name for one in definitions if one.kind != kind]:
        raise DefinitionError(f"{file}: {', '.join(other)}: not a {kind}; add it with the other command")
    return definitions


def _check(settings: Settings, definitions: list[Definition], file: Path) -> None:
    """Compile against the columns of the warehouse. Raises DefinitionError with every error."""
    from blotout_orchestration.entities.fields import DefinitionError
    from blotout_orchestration.entities.warehouse import WarehouseUnavailableError, open_published

    problems = []
    try:
        with open_published(settings) as published:
            for definition in definitions:
                try:
                    _compiled(definition, published)
                except DefinitionError as error:
                    problems += [f"{file}: {line}" for line in str(error).splitlines()]
    except WarehouseUnavailableError as error:
        typer.echo(f"columns are not checked yet: {error}", err=True)
    if problems:
        raise DefinitionError("\n".join(problems))


def _compiled(definition: Definition, published: Any) -> Any:
    from blotout_orchestration.entities.definitions import SegmentDefinition
    from blotout_orchestration.entities.funnel_sql import compile_funnel
    from blotout_orchestration.entities.segment_sql import compile_segment

    if isinstance(definition, SegmentDefinition):
        return compile_segment(definition, published.columns, published.as_of)
    return compile_funnel(definition, published.columns, published.as_of)


def _query(settings: Settings, definition: Definition, dialect: Dialect) -> str:
    from blotout_orchestration.entities.dialects import written
    from blotout_orchestration.entities.warehouse import open_published

    with open_published(settings) as published:
        return written(_compiled(definition, published), dialect.value, pretty=True)


def _preview(settings: Settings, definition: Definition) -> list[str]:
    from duckdb import Error

    from blotout_orchestration.entities.definitions import SegmentDefinition
    from blotout_orchestration.entities.funnels import measure
    from blotout_orchestration.entities.membership import members
    from blotout_orchestration.entities.warehouse import open_published
    from blotout_orchestration.errors import BlotoutError

    with open_published(settings) as published:
        head = f"{definition.kind} {definition.name}, data of {published.as_of:%Y-%m-%d %H:%M} UTC"
        try:
            if isinstance(definition, SegmentDefinition):
                people = members(published, definition).to_pylist()
                return [f"{head}: {len(people):,} people", *(f"  {one}" for one in sorted(people)[:SAMPLE])]
            report, dropoffs = measure(published, definition, definition.version or 0)
        except Error as error:
            raise BlotoutError(f"{head}: {error}") from None
    lines = [f"{head}: {dropoffs.num_rows:,} did not finish"]
    for row in report.to_pylist():
        share = "" if row["conversion"] is None else f"  {100 * row['conversion']:.1f} %"
        waited = "" if row["seconds_p50"] is None else f"  median {row['seconds_p50']:,.0f} s"
        lines.append(f"  {row['step']} {row['step_name']}: {row['reached']:,}{share}{waited}")
    return lines


def _version(settings: Settings, kind: str, name: str, number: int | None) -> Version:
    from blotout_orchestration.entities.registry import history, holding
    from blotout_orchestration.errors import UsageError

    versions = history(settings).get((kind, name), [])
    found = holding(versions) if number is None else next((v for v in versions if v.number == number), None)
    if found is None or (found.is_deleted and number is None):
        which = f"{kind} {name}" if number is None else f"version {number} of {kind} {name}"
        raise UsageError(f"there is no {which}; `blotout {kind}s list` shows what there is")
    return found


def _rows(settings: Settings, kind: str) -> list[dict[str, Any]]:
    from blotout_orchestration.entities.registry import history, holding, offer

    rows = []
    for (which, name), versions in sorted(history(settings).items()):
        held, waiting = holding(versions), offer(versions)
        if which == kind and held is not None and not held.is_deleted:
            rows.append(
                {
                    "name": name,
                    "version": held.number,
                    "origin": held.origin,
                    "offered": None if waiting is None else f"version {waiting.number}",
                    "description": held.payload.get("description", ""),
                }
            )
    return rows


segments_app = _app("segment", "Segments: people by what they are and did.")
funnels_app = _app("funnel", "Funnels: how far people come, and where they drop off.")
