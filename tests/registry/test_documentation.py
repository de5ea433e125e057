"""The definitions in docs/registries.md are definitions that the commands take."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from blotout_orchestration.commands import registry_hooks
from blotout_orchestration.platform.registry.files import read_channels, read_pipelines

DOCUMENT = Path(__file__).resolve().parents[2] / "docs" / "registries.md"
EXAMPLES = re.findall(r"```yaml\n(.*?)```", DOCUMENT.read_text(encoding="utf-8"), re.DOTALL)


@pytest.mark.parametrize(
    ("example", "read", "hooks"),
    [(0, read_pipelines, registry_hooks.PIPELINES), (1, read_channels, registry_hooks.CHANNELS)],
    ids=["pipeline", "channel"],
)
def test_an_example_of_the_page_is_taken(tmp_path, monkeypatch, example, read, hooks):
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "example.yaml"
    path.write_text(EXAMPLES[example], encoding="utf-8")
    (definition,) = read(path, hooks.problems).definitions
    assert definition.name in EXAMPLES[example]
    assert len(EXAMPLES) == 2


def test_every_picture_of_the_page_is_there():
    names = re.findall(r"\]\((images/[a-z_]+\.png)\)", DOCUMENT.read_text(encoding="utf-8"))
    assert len(names) == 5
    assert all((DOCUMENT.parent / name).is_file() for name in names)
