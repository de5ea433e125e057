"""The command as people start it: quick help, one message for an error, domains that load by themselves."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
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


def _program(error: BaseException) -> typer.Typer:
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


def test_a_file_that_cannot_be_used_is_one_message_with_path_and_reason(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("BLOTOUT_HOME", "/somewhere/home")
    denied = PermissionError(13, "Permission denied", "/somewhere/home/lake")
    result = CliRunner().invoke(_program(denied), ["fail"])
    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr.startswith("blotout: /somewhere/home/lake: Permission denied; check BLOTOUT_HOME")
    assert "Traceback" in CliRunner().invoke(_program(denied), ["--debug", "fail"]).stderr
    elsewhere = CliRunner().invoke(_program(OSError(28, "No space left on device", "/x")), ["fail"])
    assert "check the path and its permissions, and BLOTOUT_HOME" in elsewhere.stderr


def test_what_a_network_answers_comes_without_advice_on_paths() -> None:
    result = CliRunner().invoke(_program(OSError("AWS Error NETWORK_CONNECTION: no such host")), ["fail"])
    assert result.stderr == "blotout: AWS Error NETWORK_CONNECTION: no such host\n"


def test_a_home_that_is_a_file_is_one_message(blotout: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    Path("home").write_text("a file")
    Path("x.jsonl").write_text("{}\n")
    monkeypatch.setenv("BLOTOUT_HOME", str(Path("home").absolute()))
    for arguments in (["land", "x.jsonl"], ["run", "events_incremental"]):
        result = blotout(*arguments)
        assert result.exit_code == 1, result.output
        assert "Not a directory" in result.stderr or "File exists" in result.stderr
        assert "check BLOTOUT_HOME" in result.stderr
        assert isinstance(result.exception, SystemExit)


def test_a_database_file_that_cannot_be_used_is_one_message_without_its_sql(tmp_path: Path) -> None:
    import duckdb
    import sqlalchemy

    with pytest.raises(sqlalchemy.exc.OperationalError) as refused:
        sqlalchemy.create_engine("sqlite:////nowhere/catalog.db").connect()
    (tmp_path / "damaged.duckdb").write_bytes(b"not a database" * 1000)
    with pytest.raises(duckdb.IOException) as damaged:
        duckdb.connect(str(tmp_path / "damaged.duckdb"))
    for error, said in ((refused.value, "unable to open database file"), (damaged.value, "damaged.duckdb")):
        result = CliRunner().invoke(_program(error), ["fail"])
        assert result.exit_code == 1
        assert said in result.stderr
        assert "sqlalche.me" not in result.stderr
        assert len(result.stderr.splitlines()) == 1


@pytest.mark.parametrize("error", [KeyboardInterrupt(), RuntimeError("Query interrupted")])
def test_an_interrupt_ends_with_130_and_says_nothing(error: BaseException) -> None:
    result = CliRunner().invoke(_program(error), ["fail"])
    assert (result.exit_code, result.output) == (130, "")


def test_ctrl_c_ends_a_query_that_runs(tmp_path: Path) -> None:
    endless = "select sum(hash(range) % 7) from range(10000000000000)"
    with subprocess.Popen(
        [COMMAND, "sql", endless],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "TMPDIR": str(tmp_path)},
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    ) as running:
        for _ in range(600):
            if list(tmp_path.glob("blotout-sql-*")) or running.poll() is not None:
                break
            time.sleep(0.1)
        time.sleep(1)
        running.send_signal(signal.SIGINT)
        output, errors = running.communicate(timeout=60)
    assert (running.returncode, output, errors) == (130, "", "")
    assert list(tmp_path.glob("blotout-sql-*")) == []
