"""The `.env` file keeps every value as it is, and everything else that was in it."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest
from dotenv import dotenv_values
from hypothesis import example, given
from hypothesis import strategies as st

from blotout_orchestration import env_file
from blotout_orchestration.env_file import EnvFileError

FILE = Path(".env")
ANY_TEXT = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\x00"), max_size=40)
TRICKY_TEXT = st.text("ab'\"\\#$ {}=\n\r\t`", max_size=12)


def _values(text: str) -> dict[str, str]:
    found = env_file.bindings(text, FILE)
    return {binding.key: binding.value or "" for binding in found if binding.key}


@given(st.one_of(ANY_TEXT, TRICKY_TEXT), TRICKY_TEXT)
@example("ends with \\", "x")
@example("ends with \\'", '"')
@example("line\nbreak \\ and \\n", "#")
def test_a_written_value_reads_back_the_same_whatever_follows(value: str, other: str) -> None:
    try:
        text = env_file.changed("", {"ONE": value, "TWO": other}, FILE)
    except EnvFileError:
        # Refused rather than changed; only exotic line separators may be.
        assert any(character in value + other for character in "\r\x0b\x0c\x1c\x1d\x1e\x85\u2028\u2029")
        return
    assert _values(text) == {"ONE": value, "TWO": other}


@given(
    st.dictionaries(st.sampled_from(["A", "B", "C", "D"]), TRICKY_TEXT),
    st.sampled_from(["A", "B"]),
    TRICKY_TEXT,
)
def test_changing_one_variable_leaves_all_others(before: dict[str, str], name: str, value: str) -> None:
    text = env_file.changed("", before, FILE)
    assert _values(env_file.changed(text, {name: value}, FILE)) == {**before, name: value}


def test_comments_order_and_foreign_lines_stay() -> None:
    text = "# ours\nFIRST=1\n\n# region\naws_region=us-west-2\nexport OTHER='x y'\n"
    changed = env_file.changed(text, {"AWS_REGION": "eu-west-1", "NEW": "n"}, FILE)
    assert changed == "# ours\nFIRST=1\n\n# region\nAWS_REGION=eu-west-1\nexport OTHER='x y'\nNEW=n\n"


def test_a_variable_written_twice_is_replaced_once() -> None:
    assert env_file.changed("A=1\nB=2\nA=3", {"A": "4"}, FILE) == "A=4\nB=2\n"


def test_a_last_line_without_end_gets_one() -> None:
    assert env_file.changed("A=1", {"B": "2"}, FILE) == "A=1\nB=2\n"


def test_python_dotenv_reads_the_same(tmp_path: Path) -> None:
    path = tmp_path / ".env"
    env_file.write(path, env_file.changed("", {"A": 'it\'s # "x"', "B": "two\nlines"}, path))
    assert dotenv_values(path, interpolate=False) == {"A": 'it\'s # "x"', "B": "two\nlines"}


def test_the_file_is_for_its_owner_only_and_leaves_no_temporary(tmp_path: Path) -> None:
    path = tmp_path / ".env"
    path.write_text("A=1\n")
    path.chmod(0o644)
    env_file.write(path, "A=2\n")
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert [entry.name for entry in tmp_path.iterdir()] == [".env"]


def test_a_failed_write_keeps_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / ".env"
    path.write_text("A=1\n")

    def full_disk(handle: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full_disk)
    with pytest.raises(EnvFileError, match="No space left"):
        env_file.write(path, "A=2\n")
    assert path.read_text() == "A=1\n"
    assert [entry.name for entry in tmp_path.iterdir()] == [".env"]


def test_a_linked_file_stays_a_link(tmp_path: Path) -> None:
    (tmp_path / "real").write_text("A=1\n")
    (tmp_path / ".env").symlink_to(tmp_path / "real")
    env_file.write(tmp_path / ".env", "A=2\n")
    assert (tmp_path / ".env").is_symlink()
    assert (tmp_path / "real").read_text() == "A=2\n"


def test_a_file_that_is_not_utf_8_is_named(tmp_path: Path) -> None:
    path = tmp_path / ".env"
    path.write_bytes(b"A=\xff\n")
    with pytest.raises(EnvFileError, match="byte 2 is not UTF-8"):
        env_file.read(path)


def test_a_missing_file_has_no_variables(tmp_path: Path) -> None:
    assert env_file.read(tmp_path / ".env") == {}
