"""`blotout id-graph`: explain, block, unblock, diff.

Belongs here: words around the functions of the id graph. Ids are shown, because whoever asks has typed one.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from blotout_orchestration.settings import load_settings

if TYPE_CHECKING:
    from blotout_orchestration.id_graph.blocks import BlockChange
    from blotout_orchestration.id_graph.explain import Explanation
    from blotout_orchestration.id_graph.normalize import Node
    from blotout_orchestration.lake import Lake

id_graph_app = typer.Typer(no_args_is_help=True, help="Ask why ids belong together, and take ids out.")

IdType = Annotated[str | None, typer.Option("--type", help="Type of the id; any type when left out.")]
Id = Annotated[str, typer.Argument(metavar="ID", help="The id as in id_graph.")]


@id_graph_app.command("explain")
def explain_command(
    id_: Id,
    other: Annotated[str | None, typer.Argument(metavar="[OTHER]", help="A second id.")] = None,
) -> None:
    """Show all evidence of ID, or the shortest chain of evidence between ID and OTHER."""
    from blotout_orchestration.id_graph.explain import explain

    found = explain(_lake(), id_, other)
    for line in describe(found, two=other is not None):
        typer.echo(line)


@id_graph_app.command("block")
def block_command(
    id_: Id,
    reason: Annotated[str, typer.Option("--reason", help="Why; kept beside the id.")] = "blocked by hand",
    id_type: IdType = None,
) -> None:
    """Leave ID and its links out of the graph from the next run on."""
    from blotout_orchestration.id_graph.blocks import block_ids

    change = block_ids(_lake(), [id_], reason=reason, id_type=id_type)
    typer.echo(f"blocked {' and '.join(change.ids)}: {change.matching} nodes of the graph. {_state(change)}")
    if not change.matching:
        of_type = f" of type {id_type}" if id_type else ""
        typer.secho(
            f"warning: neither id_graph nor id_edges has this id{of_type}; the block waits for it",
            fg=typer.colors.YELLOW,
            err=True,
        )


@id_graph_app.command("unblock")
def unblock_command(id_: Id, id_type: IdType = None) -> None:
    """Let ID back into the graph from the next run on."""
    from blotout_orchestration.id_graph.blocks import unblock_ids

    change = unblock_ids(_lake(), [id_], id_type=id_type)
    if not change.ids:
        hint = f" as {id_type}" if id_type else "; what was blocked with --type is unblocked with it"
        typer.echo(f"{id_} was not blocked{hint}. {change.blocked} ids are blocked.")
        return
    typer.echo(f"unblocked {' and '.join(change.ids)}. {_state(change)}")


@id_graph_app.command("diff")
def diff_command(
    full: Annotated[bool, typer.Option("--full", help="As a full rebuild would have it.")] = False,
) -> None:
    """Show what the next run would change, and change nothing: people that merge and split."""
    from blotout_orchestration.id_graph.stitch import stitch

    result = stitch(_lake(), run_id="diff", full=full, dry_run=True, progress=_progress)
    typer.echo(
        f"{result.people - result.people_change} people before, {result.people} after; {result.ids} ids"
    )
    typer.echo(f"{result.new_ids} new ids, {result.merges} merges, {result.splits} splits")
    for old, new in result.merged.items():
        typer.echo(f"  {old} -> {new or 'its ids are gone'}")
    for old, parts in result.split.items():
        typer.echo(f"  {old} splits into {parts} people")


def describe(found: Explanation, *, two: bool) -> list[str]:
    """An explanation as lines of text."""
    lines = [f"{_name(node)}" for node in found.nodes]
    if two:
        verdict = "one person" if found.same_person else "different people"
        lines.append(f"{verdict}: {', '.join(found.people)}")
        if not found.links and not set(found.nodes[1:]) <= {found.nodes[0]}:
            lines.append("no chain of evidence leads from one to the other")
    else:
        lines.append(f"person: {', '.join(found.people)}")
    lines += [
        f"  {_name(link.left)} - {_name(link.right)}  {', '.join(link.sources)}"
        f"  {link.first_seen:%Y-%m-%d %H:%M} to {link.last_seen:%Y-%m-%d %H:%M} UTC, {link.count} times"
        for link in found.links
    ]
    return lines + [f"  refused: {text}" for text in found.refused]


def _state(change: BlockChange) -> str:
    return f"{change.blocked} ids are blocked. `blotout run id_stitching_incremental` applies it."


def _name(node: Node) -> str:
    return f"{node.provider or node.id_type} {node.id}"


def _lake() -> Lake:
    from blotout_orchestration.lake import Lake

    return Lake(load_settings())


def _progress(message: str) -> None:
    typer.echo(message, err=True)
