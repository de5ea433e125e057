"""A trouble: something that a person should know of, and which troubles are the same one.

Belongs here: the fact and its fingerprint. Does not belong here: where it was found, how it is told.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from datetime import datetime
from typing import Final, Literal

Kind = Literal["failed run", "failed check", "late data"]

FIRST_ERROR_CHARACTERS: Final = 600
_VARYING: Final = re.compile(
    r"0x[0-9a-f]+|[0-9a-f]{8}-[0-9a-f-]{27}|\b[0-9a-f]{12,}\b|\d+([.,:T-]\d+)*", re.IGNORECASE
)
"""What differs from run to run in one and the same error: addresses, ids, hashes, numbers, times."""


@dataclass(frozen=True)
class Trouble:
    """Something that went wrong.

    `source` names the occurrence (a run id, an event id): the same occurrence is never counted twice.
    `subject` is the job or asset; `first_error` is scrubbed of secrets by who finds it; `link` is a path
    of the Dagster UI, beginning with `/`; `again` is how to run it again, a command or a sentence.
    """

    kind: Kind
    source: str
    subject: str
    occurred_at: datetime
    first_error: str
    error_kind: str = ""
    step: str = ""
    partition: str = ""
    owners: tuple[str, ...] = ()
    link: str = "/"
    again: str = ""

    @property
    def fingerprint(self) -> str:
        """Troubles with one fingerprint are one trouble, whatever run, hour or partition they came from."""
        same = "|".join(
            (self.kind, self.subject, self.step, self.error_kind, without_varying(self.first_error))
        )
        return hashlib.sha256(same.encode()).hexdigest()[:32]


def without_varying(text: str) -> str:
    """A message without the parts that differ from run to run."""
    return " ".join(_VARYING.sub("#", text).split())[:FIRST_ERROR_CHARACTERS]


def shortened(text: str) -> str:
    """A message on one line, cut where it is longer than an alert needs."""
    line = " ".join(text.split())
    return line if len(line) <= FIRST_ERROR_CHARACTERS else f"{line[: FIRST_ERROR_CHARACTERS - 2]} …"
