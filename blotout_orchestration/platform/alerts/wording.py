"""How an alert reads: its subject, its text, its body for a webhook.

Belongs here: sentences. Does not belong here: sending, and who is told.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from blotout_orchestration.platform.alerts.troubles import Trouble


def subject(trouble: Trouble) -> str:
    """One line that says what and where; the same for the same trouble, so that mail readers thread it."""
    return f"[blotout] {trouble.kind}: {trouble.subject}"


def payload(trouble: Trouble, address: str) -> dict[str, Any]:
    """Every fact of the alert, as it is kept in the outbox and posted to a `json` webhook.

    `address` is where the Dagster UI is reached, without a slash at its end.
    """
    return {
        "kind": trouble.kind,
        "subject": trouble.subject,
        "fingerprint": trouble.fingerprint,
        "occurred_at": trouble.occurred_at.isoformat(timespec="seconds"),
        "owners": list(trouble.owners),
        "partition": trouble.partition,
        "step": trouble.step,
        "first_error": trouble.first_error,
        "link": f"{address}{trouble.link}",
        "again": trouble.again,
        "sources": [trouble.source],
    }


def held_back(count: int) -> str:
    """The sentence on what was not told by itself; empty for nothing."""
    return f"{count} more suppressed since the last alert of this trouble." if count else ""


def text(facts: Mapping[str, Any], suppressed: int) -> str:
    """The alert for people, a fact a line; facts that are not there are left out."""
    lines = [
        ("What", f"{facts['kind']}: {facts['subject']}"),
        ("When", f"{facts['occurred_at']} (UTC)"),
        ("Partition", facts["partition"]),
        ("Step", facts["step"]),
        ("First error", facts["first_error"]),
        ("Owner", ", ".join(facts["owners"])),
        ("Look at", facts["link"]),
        ("Again", facts["again"]),
        ("Repeated", held_back(suppressed)),
    ]
    width = max(len(name) for name, _ in lines) + 1
    return "\n".join(f"{name + ':':{width}} {value}" for name, value in lines if value) + "\n"


def slack_body(facts: Mapping[str, Any], suppressed: int) -> dict[str, str]:
    """The body of Slack's incoming webhook; `&`, `<` and `>` are escaped as Slack's documentation asks."""
    plain = text(facts, suppressed)
    for character, entity in (("&", "&amp;"), ("<", "&lt;"), (">", "&gt;")):
        plain = plain.replace(character, entity)
    return {"text": f"*{facts['kind']}: {facts['subject']}*\n```{plain}```"}
