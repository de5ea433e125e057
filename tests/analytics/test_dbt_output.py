"""What a person sees of a dbt run: how far it is, and what dbt warns of."""

from __future__ import annotations

from collections.abc import Iterator

from blotout_orchestration.analytics.dbt_output import STEP, DbtOutput, quietly

TOTAL = 2 * STEP + 3


def run_of_dbt() -> Iterator[int]:
    print("Running with dbt=1.11.16")
    for number in range(1, TOTAL + 1):
        print(f"{number} of {TOTAL} START sql table model shop.table_{number} ...... [RUN]")
        print(
            f"{number} of {TOTAL} \x1b[32mOK\x1b[0m created sql table model shop.table_{number} [OK in 0.10s]"
        )
        yield number
    print("Completed successfully")


def test_how_far_it_is_takes_the_place_of_every_line(capsys) -> None:
    said: list[str] = []
    assert list(quietly(run_of_dbt(), said.append)) == list(range(1, TOTAL + 1))
    assert said == [
        f"dbt: {STEP} of {TOTAL} models and tests done",
        f"dbt: {2 * STEP} of {TOTAL} models and tests done",
        f"dbt: {TOTAL} of {TOTAL} models and tests done",
    ]
    assert capsys.readouterr().out == ""


def test_what_others_print_between_two_events_is_printed(capsys) -> None:
    for number in quietly(run_of_dbt(), lambda _: None):
        print(f"seen {number}")
    assert capsys.readouterr().out == "".join(f"seen {number}\n" for number in range(1, TOTAL + 1))


def test_warnings_and_failures_are_passed_on_without_colour() -> None:
    said: list[str] = []
    output = DbtOutput(said.append)
    output.write("4 of 9 \x1b[33mWARN\x1b[0m 2 hours_agree ....")
    output.write(".. [WARN 2 in 0.1s]\n5 of 9 PASS not_null [PASS in 0.1s]\n6 of 9 ERROR creating x")
    assert said == ["dbt: 4 of 9 WARN 2 hours_agree ...... [WARN 2 in 0.1s]"]
    output.write("\n7 of 9 FAIL 3 unique_x\n")
    assert said[1:] == ["dbt: 6 of 9 ERROR creating x", "dbt: 7 of 9 FAIL 3 unique_x"]
