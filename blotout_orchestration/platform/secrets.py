"""Secrets by reference: what a definition names, and what stands behind the name.

Belongs here: how a reference is written and looked up. Does not belong here: the settings' own secrets, and
anything that keeps a secret longer than its caller does.
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any, Final

from pydantic import SecretStr

from blotout_orchestration.errors import BlotoutError
from blotout_orchestration.settings import environment_variable

if TYPE_CHECKING:
    from blotout_orchestration.settings import Settings

ENVIRONMENT: Final = "env:"
SECRETS_MANAGER: Final = "secretsmanager:"
FORMS: Final = "`env:NAME`, `secretsmanager:ID` or `secretsmanager:ID#KEY`"
TIMEOUT_SECONDS: Final = 5.0
"""How long one answer of Secrets Manager is waited for, twice at most: a login page waits as well."""
_REFERENCE: Final = re.compile(r"env:[A-Za-z_][A-Za-z0-9_]*|secretsmanager:[A-Za-z0-9/_+=.@:-]+(#[^#\s]+)?")


class SecretError(BlotoutError):
    """A reference that is not one, or that nothing stands behind. Names the reference, never a value."""


class SecretNotFoundError(SecretError):
    """Secrets Manager has no secret of this name."""


def is_reference(text: str) -> bool:
    """Whether a text refers to a secret; a text that is the secret itself does not look like one."""
    return _REFERENCE.fullmatch(text) is not None


def check_reference(text: str) -> str:
    """The reference as it is; raises ValueError, without the text: somebody may have written the secret."""
    if not is_reference(text):
        raise ValueError(f"not a reference to a secret; write {FORMS}, never the secret itself")
    return text


def resolve(reference: str, settings: Settings) -> SecretStr:
    """The secret behind a reference, read anew each time, so that a rotation needs no restart.

    `#KEY` takes one text out of a Secrets Manager secret that is a JSON object. Raises SecretError.
    """
    if not is_reference(reference):
        raise SecretError(f"not a reference to a secret; write {FORMS}, never the secret itself")
    if reference.startswith(ENVIRONMENT):
        name = reference.removeprefix(ENVIRONMENT)
        value = environment_variable(name)
        if value is None:
            raise SecretError(
                f"{reference}: the variable {name} is set neither in the environment nor in .env"
            )
        return SecretStr(value)
    identifier, _, key = reference.removeprefix(SECRETS_MANAGER).partition("#")
    text = _secret_text(identifier, settings)
    return SecretStr(_entry(text, key, reference) if key else text)


def _secret_text(identifier: str, settings: Settings) -> str:
    import boto3
    from botocore.config import Config
    from botocore.exceptions import BotoCoreError, ClientError

    limits = Config(
        connect_timeout=TIMEOUT_SECONDS, read_timeout=TIMEOUT_SECONDS, retries={"total_max_attempts": 2}
    )
    client: Any = boto3.client("secretsmanager", region_name=settings.aws_region, config=limits)
    try:
        answer = client.get_secret_value(SecretId=identifier)
    except ClientError as error:
        code = error.response.get("Error", {}).get("Code", "ClientError")
        kind = SecretNotFoundError if code == "ResourceNotFoundException" else SecretError
        raise kind(f"{SECRETS_MANAGER}{identifier}: Secrets Manager answered {code}") from None
    except BotoCoreError as error:
        raise SecretError(f"{SECRETS_MANAGER}{identifier}: {type(error).__name__}") from None
    if "SecretString" not in answer:
        raise SecretError(f"{SECRETS_MANAGER}{identifier}: a binary secret; store it as text")
    return str(answer["SecretString"])


def _entry(text: str, key: str, reference: str) -> str:
    try:
        document = json.loads(text)
    except ValueError:
        raise SecretError(f"{reference}: the secret is not a JSON object, so it has no key") from None
    if not isinstance(document, dict) or not isinstance(document.get(key), str):
        raise SecretError(f"{reference}: the secret has no text under this key")
    return str(document[key])
