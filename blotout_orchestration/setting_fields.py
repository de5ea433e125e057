"""How a setting is declared: its type with its check, and what people are shown of it.

Belongs here: the helpers that `settings.py` is written with. Does not belong here: any single variable.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Final

from pydantic import AfterValidator, Field, SecretStr
from pydantic.fields import FieldInfo

from blotout_orchestration import setting_checks as checks

Folder = Annotated[Path, AfterValidator(checks.check_folder)]
Cron = Annotated[str, AfterValidator(checks.check_cron)]
DockerTag = Annotated[str, AfterValidator(checks.check_docker_tag)]
SafeName = Annotated[str, AfterValidator(checks.check_name)]
LakeLocation = Annotated[str, AfterValidator(checks.check_lake_location)]
CatalogUri = Annotated[str, AfterValidator(checks.check_catalog_uri)]
SparkMaster = Annotated[str, AfterValidator(checks.check_spark_master)]
Hour = Annotated[str, AfterValidator(checks.check_hour)]
Moment = Annotated[str, AfterValidator(checks.check_moment)]
Region = Annotated[str, AfterValidator(checks.check_region)]
InstanceType = Annotated[str, AfterValidator(checks.check_instance_type)]
Subnet = Annotated[str, AfterValidator(checks.check_subnet)]
Email = Annotated[str, AfterValidator(checks.check_email)]
DatabaseUri = Annotated[SecretStr, AfterValidator(checks.check_database_uri)]
Addresses = Annotated[str, AfterValidator(checks.check_addresses)]
AccountNumbers = Annotated[str, AfterValidator(checks.check_account_numbers)]
TeamAddresses = Annotated[str, AfterValidator(checks.check_team_addresses)]
Secret = Annotated[SecretStr, AfterValidator(checks.check_secret)]
SecretAddress = Annotated[SecretStr, AfterValidator(checks.check_secret_address)]

MASK: Final = "********"
_CREDENTIALS: Final = re.compile(r"//.*@", re.DOTALL)
SAFE_NAME: Final = "lower-case letters and digits, words joined by `_`, beginning with a letter"


def setting(
    group: str,
    default: Any,
    meaning: str,
    expects: str,
    example: str,
    *,
    secret: bool = False,
    compatibility: str = "",
    **constraints: Any,
) -> Any:
    """A field with what `blotout settings`, the error messages and docs/configuration.md show of it.

    `secret` values are masked everywhere; `compatibility` says what an old variable still does here;
    `constraints` are pydantic's (`ge`, `max_length` ...).
    """
    extra: dict[str, Any] = {"group": group, "expects": expects, "compatibility": compatibility}
    if secret:
        extra["dagster__is_secret"] = True
    return Field(
        default,
        description=meaning,
        examples=[example],
        repr=not secret,
        json_schema_extra=extra,
        **constraints,
    )


def cron_setting(default: str, meaning: str) -> Any:
    """The time of a schedule."""
    expects = "a cron expression of five fields, or an alias such as `@hourly`; times are UTC"
    return setting("Schedules", default, meaning, expects, default)


def image_tag_setting(image: str) -> Any:
    """The tag of an image of the original that is not run any more."""
    return setting(
        "Kept for compatibility",
        "0.20.0",
        f"Docker tag of the {image} image.",
        "up to 128 letters, digits, `_`, `.` and `-`, beginning with a letter, digit or `_`",
        "0.20.0",
        compatibility="Checked and kept, without effect: what the image did is part of this package.",
    )


def is_secret(info: FieldInfo) -> bool:
    """Whether the field's value must not be shown."""
    return isinstance(info.json_schema_extra, dict) and bool(info.json_schema_extra.get("dagster__is_secret"))


def without_credentials(uri: str) -> str:
    """A URI whose user and password, which are all between `//` and the last `@`, are masked."""
    return _CREDENTIALS.sub(f"//{MASK}@", uri)


def problem(name: str, info: FieldInfo, value: object, detail: Mapping[str, Any], source: str = "") -> str:
    """One line on a refused value: variable, value (masked when secret), what is wrong, what is expected.

    `detail` is an item of pydantic's `ValidationError.errors()`.
    """
    extra: Any = info.json_schema_extra
    text = MASK if is_secret(info) else repr(without_credentials(str(value)))
    origin = f" ({source})" if source else ""
    reason = f"{detail['ctx']['error']}; " if detail["type"] == "value_error" else ""
    return f"{name.upper()} = {text}{origin}: {reason}expected {extra['expects']}"
