"""`blotout activation`: what people read of a dry run, a sync, a held one; and how a sync is cancelled."""

from __future__ import annotations

import pytest
from typer.testing import CliRunner

from blotout_orchestration.activation.workspace import Workspace
from blotout_orchestration.cli import app
from blotout_orchestration.platform.registry import add_channels
from tests.activation.helpers import channel, people, person


@pytest.fixture
def said(settings, monkeypatch):
    """Runs a command against a registry with the channel `vip`; gives its exit code and what it said."""
    monkeypatch.setattr("blotout_orchestration.commands.common.current_settings", lambda: settings)
    add_channels(settings, [channel("file")])

    def run(*words: str) -> tuple[int, str]:
        done = CliRunner().invoke(app, ["activation", *words])
        return done.exit_code, done.output

    return run


def test_a_dry_run_shows_counts_reasons_and_a_masked_sample(lake, said):
    people(lake, [person("ada"), person("bad") | {"email": "nobody"}])
    code, text = said("dry-run", "vip")
    assert code == 0
    assert "1 to create, 0 to update, 0 to remove" in text
    assert "invalid: 1 x unusable_value: email: not an e-mail address" in text
    assert "email=a*** (15 characters)" in text
    assert "ada@example.com" not in text


def test_a_sync_says_what_became_of_the_rows(lake, said):
    people(lake, [person("ada")])
    code, text = said("sync", "vip")
    assert (code, "succeeded; 1 rows = 1 sent + 0 unchanged + 0 invalid + 0 unsent" in text) == (0, True)


def test_a_held_sync_ends_with_one_message_and_goes_on_when_confirmed(lake, said):
    people(lake, [person("ada")])
    said("sync", "vip")
    people(lake, [])
    code, text = said("sync", "vip")
    assert (code, "the audience is empty" in text, "Traceback" in text) == (1, True, False)
    code, text = said("sync", "vip", "--confirm-large-change")
    assert (code, "1 removals; 1 accepted" in text) == (0, True)


def test_a_name_that_is_not_registered_is_told_with_those_that_are(said):
    code, text = said("sync", "vips")
    assert (code, "there is no channel vips; there are: vip" in text) == (2, True)


def test_cancel_leaves_a_wish_for_the_sync_under_way(settings, said):
    assert said("cancel", "vip")[0] == 0
    assert Workspace(settings, "vip").cancel_asked()
