"""Variables as a list for people, and variables that come from Airflow.

Belongs here: listing the settings with value, source and meaning; taking over what `airflow variables export`
wrote. Does not belong here: the settings themselves and the syntax of `.env`.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from difflib import get_close_matches
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import SecretStr, TypeAdapter, ValidationError

from blotout_orchestration import env_file as env_files
from blotout_orchestration import setting_fields as fields
from blotout_orchestration.errors import UsageError
from blotout_orchestration.settings import (
    ENV_FILE,
    Settings,
    SettingsError,
    Source,
    foreign_variables,
    setting_sources,
    unknown_variables,
)

Fate = Literal["taken", "obsolete", "empty", "unknown", "invalid", "conflict"]
FATES: dict[Fate, str] = {
    "taken": "written",
    "obsolete": "written, but without effect here",
    "empty": "not set in the export, so the default holds",
    "unknown": "not a setting here, left out",
    "invalid": "left out",
    "conflict": "the .env file has another value; --force replaces it",
}

_NEARLY_EQUAL = 0.88
"""How like a setting's name a foreign one must be: ORGANIZATION is, Spark's own SPARK_MASTER_URL is not."""


@dataclass(frozen=True)
class ListedSetting:
    """One line of `blotout settings`; `value` is masked when secret and empty when not set."""

    name: str
    value: str
    source: Source
    group: str
    meaning: str


@dataclass(frozen=True)
class ImportedVariable:
    """What became of one exported variable; `value` is fit to be shown, `note` explains the fate."""

    name: str
    fate: Fate
    value: str = ""
    note: str = ""


@dataclass
class ImportReport:
    """What an import found, and the text of the `.env` file that results (None: nothing may be written)."""

    variables: list[ImportedVariable] = field(default_factory=list)
    text: str | None = None

    def count(self, fate: Fate) -> int:
        """How many variables had this fate."""
        return sum(variable.fate == fate for variable in self.variables)


def variable_name(field_name: str) -> str:
    """Name of a field's variable."""
    return field_name.upper()


def shown(field_name: str, value: object) -> str:
    """A value as people may see it: secrets masked, of a URI the user and password only."""
    if value is None:
        return ""
    if field_name == "catalog_uri":
        return fields.without_credentials(str(value)).partition("?")[0]
    return fields.MASK if fields.is_secret(Settings.model_fields[field_name]) else str(value)


def scrubbed(settings: Settings, text: str) -> str:
    """A text of others, on one line and without any secret of the settings."""
    secrets = [settings.catalog_uri or ""]
    if settings.catalog_uri and "@" in settings.catalog_uri:
        credentials = settings.catalog_uri.partition("//")[2].rpartition("@")[0]
        secrets += [credentials, credentials.partition(":")[2]]
    values = (getattr(settings, name) for name in Settings.model_fields)
    secrets += [value.get_secret_value() for value in values if isinstance(value, SecretStr)]
    for secret in secrets:
        if secret:
            text = text.replace(secret, fields.MASK)
    return " ".join(text.split())


def check_value(field_name: str, text: str) -> object:
    """The value that a text gives a field, whatever the environment holds. Raises SettingsError."""
    info = Settings.model_fields[field_name]
    kind: Any = Annotated[(info.annotation, *info.metadata)] if info.metadata else info.annotation
    adapter: TypeAdapter[object] = TypeAdapter(kind)
    try:
        return adapter.validate_python(text)
    except ValidationError as error:
        detail = error.errors(include_url=False)[0]
        raise SettingsError(fields.problem(field_name, info, detail["input"], detail)) from None


def describe(field_name: str) -> tuple[str, str, str]:
    """Group, meaning, and what an old variable still does here, of a setting."""
    info = Settings.model_fields[field_name]
    extra: Any = info.json_schema_extra
    return extra["group"], info.description or "", extra["compatibility"]


def list_settings(settings: Settings, env_file: Path = ENV_FILE) -> list[ListedSetting]:
    """Every setting in the order of its declaration. Raises EnvFileError."""
    sources = setting_sources(env_file)
    listed = []
    for name in Settings.model_fields:
        group, meaning, compatibility = describe(name)
        text = f"{meaning} {compatibility}".strip()
        value = shown(name, getattr(settings, name))
        listed.append(ListedSetting(variable_name(name), value, sources[name], group, text))
    return listed


def suspicious_variables(env_file: Path = ENV_FILE) -> list[str]:
    """A line for each variable that looks like a setting and is none. Raises EnvFileError."""
    lines = []
    for name, source in unknown_variables(env_file).items():
        close = _similar(name)
        if close or name.upper().startswith("BLOTOUT_"):
            hint = f"did you mean {close}?" if close else "remove it, `blotout settings` lists what there is"
            lines.append(f"{name} ({source}) is not a setting; {hint}")
    for name in foreign_variables():
        close = _similar(name, _NEARLY_EQUAL)
        if close:
            lines.append(f"{name} (environment) is not a setting; did you mean {close}?")
    return lines


def read_export(path: Path) -> list[tuple[str, Any]]:
    """Name and value of each variable in the order of the file, repeated names included.

    Numbers stay as written (`0.20` is not 0.2). An object of `value` and `description` only is how Airflow
    exports a described variable. Raises UsageError with the place when the file is not such an export.
    """
    try:
        text = path.read_bytes().decode("utf-8-sig")
        pairs = json.loads(text, object_pairs_hook=_Pairs, parse_float=str, parse_int=str)
    except OSError as error:
        raise UsageError(f"{path} cannot be read: {error.strerror}") from None
    except UnicodeDecodeError as error:
        raise UsageError(f"{path}: byte {error.start} is not UTF-8") from None
    except json.JSONDecodeError as error:
        raise UsageError(f"{path} is not JSON: {error.msg} in line {error.lineno}") from None
    except RecursionError:
        raise UsageError(f"{path} is nested too deeply") from None
    if not isinstance(pairs, _Pairs):
        raise UsageError(
            f"{path} is not an export of variables: expected one JSON object of names and values"
        )
    return [(name, _described_value(value)) for name, value in pairs]


class _Pairs(list[tuple[str, Any]]):
    """A JSON object with its repeated names, which a dict would silently drop."""


def _described_value(value: Any) -> Any:
    if isinstance(value, _Pairs) and sorted(name for name, _ in value) == ["description", "value"]:
        return dict(value)["value"]
    return value


def plan_import(path: Path, env_file: Path, *, force: bool = False) -> ImportReport:
    """What importing an export into an `.env` file would do; writes nothing.

    The text is None when nothing is to be written or a differing value stands in the way without `force`.
    Raises UsageError for the export, EnvFileError for the `.env` file.
    """
    exported = read_export(path)
    existing = {name.upper(): value for name, value in env_files.read(env_file).items()}
    report = ImportReport()
    values: dict[str, str] = {}
    for name, value in exported:
        variable, text = _judge(name, value)
        key = name.upper()
        if key in values and variable.fate in ("taken", "obsolete") and values[key] != text:
            variable = ImportedVariable(
                name, "invalid", note="named before with another value, which is taken"
            )
        elif text is not None and variable.fate in ("taken", "obsolete"):
            values.setdefault(key, text)
            if existing.get(key) and existing[key] != text and not force:
                variable = ImportedVariable(name, "conflict", variable.value)
        report.variables.append(variable)
    if values and not report.count("conflict"):
        report.text = env_files.changed(env_files.read_text(env_file), values, env_file)
    return report


def _judge(name: str, value: Any) -> tuple[ImportedVariable, str | None]:
    """The fate of one variable by itself, and the text of its value when it is a setting's."""
    field_name = name.lower()
    if field_name not in Settings.model_fields:
        return ImportedVariable(name, "unknown", note=_unknown_note(name, value)), None
    if value is None or value == "":
        return ImportedVariable(name, "empty"), None
    if isinstance(value, list):
        kind = "an object" if isinstance(value, _Pairs) else "a list"
        return ImportedVariable(name, "invalid", note=f"expected text, found {kind}"), None
    text = json.dumps(value) if isinstance(value, bool) else str(value)
    try:
        checked = check_value(field_name, text)
        env_files.assignment(variable_name(field_name), text)
    except (SettingsError, env_files.EnvFileError) as error:
        return ImportedVariable(name, "invalid", note=str(error)), None
    compatibility = describe(field_name)[2]
    fate: Fate = "obsolete" if compatibility else "taken"
    return ImportedVariable(name, fate, shown(field_name, checked), compatibility), text


def _unknown_note(name: str, value: Any) -> str:
    """A hint without the value, which may be a secret."""
    if isinstance(value, _Pairs):
        inside = [key for key, _ in value if key.lower() in Settings.model_fields]
        if inside:
            return f"an object; {', '.join(inside)} inside it would be taken as variables of their own"
    close = _similar(name)
    return f"did you mean {close}?" if close else ""


def _similar(name: str, likeness: float = 0.85) -> str | None:
    """The setting whose name is nearly this one, with or without a prefix BLOTOUT_."""
    known = [variable_name(field_name) for field_name in Settings.model_fields]
    for candidate in (name.upper(), name.upper().removeprefix("BLOTOUT_")):
        close = get_close_matches(candidate, known, 1, likeness)
        if close:
            return close[0]
    return None
