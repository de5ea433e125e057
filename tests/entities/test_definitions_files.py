"""Reading definitions: every error at once, by file, field and value; what is written reads back the same."""

from __future__ import annotations

from pathlib import Path

import pytest

from blotout_orchestration.entities.definitions import as_payload, parse_definition, read_definitions
from blotout_orchestration.entities.fields import DefinitionError
from blotout_orchestration.entities.predefined import predefined_definitions

BAD = """
kind: segment
name: Bad Name
where:
  all:
    - {profile: orders, operator: MORE, value: 1}
    - not: {any: [{event: cart, within: 3 moons}, {profile: orders, operator: EQUAL}]}
    - {foo: 1}
    - {recency: last_order_at, within: 3 days, older_than: 5 days}
    - {event: cart, where: {all: [{property: item_price, operator: GREATER_THAN, values: [1, 2]}]}}
---
kind: funnel
name: short
description: One step only.
window: 3 days
steps: [{step: a, event: a}]
---
kind: report
name: x
"""


def _refused(path: Path, text: str) -> list[str]:
    path.write_text(text)
    with pytest.raises(DefinitionError) as refused:
        read_definitions(path)
    assert refused.value.exit_code == 2
    return str(refused.value).splitlines()


def test_everything_that_is_wrong_is_said_at_once(tmp_path):
    path = tmp_path / "bad.yml"
    lines = _refused(path, BAD)
    assert all(line.startswith(f"{path} document ") for line in lines)
    expected = [
        "document 1: name = 'Bad Name'",
        "document 1: description: Field required",
        "document 1: where.all.0.operator = 'MORE'",
        "document 1: where.all.1.not.any.0.within = '3 moons': is no duration",
        "document 1: where.all.1.not.any.1: EQUAL needs either value or values",
        "document 1: where.all.2: is no condition",
        "document 1: where.all.3: older_than must be shorter",
        "document 1: where.all.4.where.all.0: GREATER_THAN compares with one value",
        "document 2: steps",
        "document 3: ",
    ]
    for start, line in zip(expected, lines, strict=True):
        assert start in line


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "holds no definition"),
        ("- 1\n- 2", "a definition is a mapping"),
        ("kind: [", "is no YAML"),
        ("kind: segment\nkind: funnel\n", "the key kind stands twice"),
        ("a: !!python/object/apply:os.system ['true']", "is no YAML"),
        ("kind: segment\nname: a\ndescription: a\nwhere: {profile: a, operator: EQUAL, value: .nan}", "must be a finite number"),
        ("kind: segment\nname: a\ndescription: ' '\nwhere: {profile: a, operator: IS_SET}", "must say for people"),
        ("kind: segment\nname: a\ndescription: a\nunknown: 1\nwhere: {profile: a, operator: IS_SET}", "unknown = '1'"),
        ("kind: segment\nname: a\ndescription: a\nwhere: {profile: a, operator: IS_SET, value: 1}", "takes no value"),
        ("kind: segment\nname: a\ndescription: a\nwhere: " + "{not: " * 60 + "{}" + "}" * 60, "nested deeper"),
        ("---\n" + "kind: segment\nname: a\ndescription: a\nwhere: {profile: a, operator: IS_SET}\n---\n" * 2, "defined twice"),
    ],
)  # fmt: skip
def test_a_file_that_cannot_be_meant_is_refused(tmp_path, text, said):
    assert any(said in line for line in _refused(tmp_path / "file.yml", text))


def test_a_file_that_cannot_be_read_is_named(tmp_path):
    with pytest.raises(DefinitionError, match=r"nowhere\.yml: cannot be read"):
        read_definitions(tmp_path / "nowhere.yml")
    (tmp_path / "latin.yml").write_bytes(b"name: \xe9")
    with pytest.raises(DefinitionError, match="is not UTF-8 at byte"):
        read_definitions(tmp_path / "latin.yml")


def test_what_the_registry_keeps_reads_back_as_the_same_definition():
    for definition in predefined_definitions():
        again = parse_definition({**as_payload(definition), "version": definition.version}, "registry")
        assert again == definition


def test_values_keep_the_type_that_they_were_written_with():
    values = [1, 1.5, True, "1", "NO"]
    raw = {"profile": "a", "operator": "IN", "values": values}
    made = parse_definition({"kind": "segment", "name": "a", "description": "a", "where": raw}, "here")
    assert [type(value) for value in as_payload(made)["where"]["values"]] == [type(value) for value in values]
