"""The command as people start it: quick help, one message for an error, domains that load by themselves."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import typer
from typer.testing import CliRunner

from blotout_orchestration.commands.groups import ErrorsAsMessages, domain_group
from blotout_orchestration.errors import BlotoutError, UsageError

COMMAND = str(Path(sys.executable).parent / "blotout")


def test_the_installed_command_shows_its_commands() -> None:
    answer = subprocess.run([COMMAND, "--help"], capture_output=True, text=True, check=True)
    commands = re.findall(r"^  ([a-z][a-z-]+)  ", answer.stdout, re.MULTILINE)
    expected = {"settings", "import-variables", "doctor", "land", "run", "sql", "events", "id-graph", "demo"}
    assert expected <= set(commands)


def test_help_loads_nothing_heavy() -> None:
    code = (
        "import sys\nfrom typer.testing import CliRunner\nfrom blotout_orchestration.cli import app\n"
        "assert CliRunner().invoke(app, ['--help']).exit_code == 0\n"
        "heavy = {'dagster', 'pyarrow', 'pyiceberg', 'duckdb', 'boto3', 'pandas', 'pyspark', 'pydantic'}\n"
        "print(sorted(heavy & set(sys.modules)))"
    )
    answer = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert answer.stdout.strip() == "[]"


def test_a_pipe_that_closes_early_is_no_error() -> None:
    query = "select unnest(range(200000)) as n"
    line = f"{COMMAND} sql '{query}' --format csv | head -n 2"
    answer = subprocess.run(["bash", "-c", line], capture_output=True, text=True, check=True)
    assert answer.stdout == "n\n0\n"
    assert "Traceback" not in answer.stderr


def _program(error: Exception) -> typer.Typer:
    program = typer.Typer(cls=ErrorsAsMessages, pretty_exceptions_enable=False)

    @program.callback()
    def options(debug: bool = False) -> None:
        """A program with one command that fails."""

    @program.command()
    def fail() -> None:
        raise error

    return program


@pytest.mark.parametrize(("error", "code"), [(BlotoutError("mend it"), 1), (UsageError("mend it"), 2)])
def test_an_error_that_people_can_mend_is_one_message(error: BlotoutError, code: int) -> None:
    result = CliRunner().invoke(_program(error), ["fail"])
    assert (result.exit_code, result.stderr, result.stdout) == (code, "blotout: mend it\n", "")


def test_debug_shows_the_traceback_too() -> None:
    result = CliRunner().invoke(_program(BlotoutError("mend it")), ["--debug", "fail"])
    assert result.exit_code == 1
    assert "Traceback" in result.stderr
    assert result.stderr.endswith("blotout: mend it\n")


def test_a_defect_of_ours_keeps_its_traceback() -> None:
    result = CliRunner().invoke(_program(KeyError("defect")), ["fail"])
    assert isinstance(result.exception, KeyError)


def test_a_domain_that_cannot_be_imported_breaks_only_its_own_commands() -> None:
    program = _program(BlotoutError("unused"))
    broken = domain_group("blotout_orchestration.nowhere", "nothing")
    program.add_typer(typer.Typer(cls=broken, no_args_is_help=True, help="Broken."), name="broken")

    @program.command()
    def works() -> None:
        typer.echo("fine")

    assert CliRunner().invoke(program, ["works"]).stdout == "fine\n"
    assert "Broken." in CliRunner().invoke(program, ["--help"]).stdout
    result = CliRunner().invoke(program, ["broken", "anything"])
    assert result.exit_code == 1
    assert "the commands of broken cannot be loaded: ModuleNotFoundError" in result.stderr
    assert "Traceback" not in result.stderr


def test_a_domain_brings_its_commands_when_asked(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "some_domain.py").write_text(
        "import typer\nits_app = typer.Typer()\n"
        "@its_app.command('greet')\ndef greet(name: str) -> None:\n    typer.echo('hello ' + name)\n"
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    program = _program(BlotoutError("unused"))
    program.add_typer(typer.Typer(cls=domain_group("some_domain", "its_app")), name="some")
    assert CliRunner().invoke(program, ["some", "greet", "you"]).stdout == "hello you\n"
    assert "greet" in CliRunner().invoke(program, ["some", "--help"]).stdout


def test_an_unknown_command_is_a_usage_error(blotout: Any) -> None:
    result = blotout("settngs")
    assert result.exit_code == 2
    assert "settings" in result.stderr
