"""Masks credentials in what Dagster shows of its own configuration (Deployment > Configuration).

Belongs here: that text only. Does not belong here: our own settings, which mask themselves.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final

from blotout_orchestration.setting_fields import MASK

if TYPE_CHECKING:
    from graphql import GraphQLSchema

_USER_OF_URI: Final = re.compile(r"//\S*@")
_SECRET_KEY: Final = re.compile(
    r"(?i)(\b\w*(?:password|secret|token|credential|access_key)\w*[\"']?[ \t]*:[ \t]*)(?!\{?[ \t]*env\b)\S.*"
)
"""A key that names a secret, and all that follows in its line: a password may hold any character."""


def mask_configuration(text: str) -> str:
    """The text with passwords and users of addresses masked; names of environment variables stay."""
    return _SECRET_KEY.sub(rf"\g<1>'{MASK}'", _USER_OF_URI.sub(f"//{MASK}@", text))


def mask_instance_information(schema: GraphQLSchema) -> None:
    """Let the field `Instance.info` go through the mask."""
    field = getattr(schema.get_type("Instance"), "fields", {}).get("info")
    if field is None:
        raise RuntimeError("the GraphQL type Instance has no field info; is this another Dagster?")
    original: Callable[..., Any] = field.resolve

    def resolve(root: Any, info: Any, **arguments: Any) -> Any:
        text = original(root, info, **arguments)
        return mask_configuration(text) if isinstance(text, str) else text

    field.resolve = resolve
