"""The walls of docs/architecture.md: who may import whom, and who may read the environment."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[1] / "blotout_orchestration"
DOMAINS = {"events", "id_graph", "analytics", "elt", "entities", "activation", "maintenance", "web"}
FOUNDATIONS = {"lake", "platform"}
MODULES = sorted(PACKAGE.rglob("*.py"))
DOCTOR_READS_DOMAINS = {"platform/doctor_services.py", "platform/queries.py"}


def room(path: Path) -> str:
    parts = path.relative_to(PACKAGE).parts
    return parts[0] if len(parts) > 1 else ""


def imported(path: Path) -> set[str]:
    """Modules of the package that a file imports, anywhere in it."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("blotout_orchestration"):
            names.add(node.module or "")
            names |= {f"{node.module}.{alias.name}" for alias in node.names}
        elif isinstance(node, ast.Import):
            names |= {a.name for a in node.names if a.name.startswith("blotout_orchestration")}
    return names


def rooms_of(names: set[str]) -> dict[str, set[str]]:
    found: dict[str, set[str]] = {}
    for name in names:
        parts = name.split(".")
        if len(parts) > 2:
            found.setdefault(parts[1], set()).add(parts[2])
    return found


def label(path: Path) -> str:
    return str(path.relative_to(PACKAGE))


@pytest.mark.parametrize("path", [p for p in MODULES if room(p) in DOMAINS], ids=label)
def test_a_domain_takes_only_contracts_from_another_domain(path):
    found = rooms_of(imported(path))
    for other in DOMAINS - {room(path)}:
        assert found.get(other, set()) <= {"contract"}, f"{label(path)} reaches into {other}"


@pytest.mark.parametrize("path", [p for p in MODULES if room(p) in FOUNDATIONS], ids=label)
def test_the_foundations_know_no_domain(path):
    found = rooms_of(imported(path))
    if label(path) not in DOCTOR_READS_DOMAINS:
        assert not (set(found) & DOMAINS), f"{label(path)} reaches up into {set(found) & DOMAINS}"


@pytest.mark.parametrize("path", [p for p in MODULES if room(p) == "lake"], ids=label)
def test_the_lake_knows_nothing_of_dagster(path):
    assert "dagster" not in path.read_text()


@pytest.mark.parametrize("path", MODULES, ids=label)
def test_only_the_settings_read_the_environment(path):
    if path.name != "settings.py":
        text = path.read_text()
        assert "os.environ" not in text
        assert "getenv" not in text


@pytest.mark.parametrize("path", MODULES, ids=label)
def test_every_module_says_what_belongs_in_it(path):
    assert ast.get_docstring(ast.parse(path.read_text())), f"{label(path)} has no docstring"


def undocumented(node: ast.AST) -> list[str]:
    """Public classes and functions without a docstring; what a function defines for itself is its own affair."""
    found = []
    for inner in ast.iter_child_nodes(node):
        if isinstance(inner, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            if inner.name.startswith("_"):
                continue
            if not ast.get_docstring(inner):
                found.append(inner.name)
        if not isinstance(inner, ast.FunctionDef | ast.AsyncFunctionDef):
            found += undocumented(inner)
    return found


@pytest.mark.parametrize("path", MODULES, ids=label)
def test_every_public_class_and_function_says_what_it_is_for(path):
    assert undocumented(ast.parse(path.read_text())) == [], f"{label(path)}: without a docstring"


@pytest.mark.parametrize("path", MODULES, ids=label)
def test_no_file_is_asking_to_be_two(path):
    assert len(path.read_text().splitlines()) <= 300
