"""Requests and answers held against Klaviyo's own OpenAPI description, cut to the paths in use."""

from __future__ import annotations

import gzip
import json
import re
from pathlib import Path
from typing import Any

from openapi_schema_validator import OAS30Validator

PATHS = {
    "/api/profile-bulk-import-jobs": ("get", "post"),
    "/api/profile-bulk-import-jobs/{job_id}": ("get",),
    "/api/profile-bulk-import-jobs/{id}/import-errors": ("get",),
    "/api/lists/{id}": ("get",),
    "/api/lists/{id}/profiles": ("get",),
    "/api/lists/{id}/relationships/profiles": ("delete",),
    "/api/profiles": ("get",),
}


def cut(real_data: Path) -> dict[str, Any]:
    """The description with only the used operations and the schemas that they reach."""
    with gzip.open(real_data / "klaviyo" / "openapi-2026-07-15.json.gz") as file:
        whole = json.load(file)
    paths = {
        path: {method: whole["paths"][path][method] for method in methods} for path, methods in PATHS.items()
    }
    wanted: set[str] = set()
    pending = [json.dumps([paths, whole["components"]["responses"]])]
    while pending:
        for name in re.findall(r'"#/components/schemas/([^"]+)"', pending.pop()):
            if name not in wanted:
                wanted.add(name)
                pending.append(json.dumps(whole["components"]["schemas"][name]))
    components = whole["components"] | {
        "schemas": {name: whole["components"]["schemas"][name] for name in sorted(wanted)}
    }
    return whole | {"paths": paths, "components": components}


class Contract:
    """Finds what is wrong with a request or an answer."""

    def __init__(self, description: dict[str, Any]) -> None:
        self._description = description
        self._patterns = [
            (
                re.compile(re.sub(r"\{\w+\}", "[^/]+", path).replace("/api/lists/[^/]+", "/api/lists/[^/]+")),
                path,
            )
            for path in description["paths"]
        ]
        self._validators: dict[str, OAS30Validator] = {}

    def _operation(self, method: str, path: str) -> dict[str, Any] | None:
        known = next((one for pattern, one in self._patterns if pattern.fullmatch(path)), None)
        operation: dict[str, Any] | None = known and self._description["paths"][known].get(method.lower())
        return operation

    def _errors(self, schema: dict[str, Any], document: Any) -> list[str]:
        name = json.dumps(schema, sort_keys=True)
        if name not in self._validators:
            rooted = {"allOf": [schema], "components": self._description["components"]}
            self._validators[name] = OAS30Validator(rooted)
        return [error.message for error in self._validators[name].iter_errors(document)]

    def request_problems(
        self, method: str, path: str, query: dict[str, str], headers: dict[str, str], document: Any
    ) -> list[str]:
        """Unknown operations and parameters, values out of range, bodies that do not fit."""
        operation = self._operation(method, path)
        if operation is None:
            return [f"no operation {method} {path}"]
        found = []
        parameters = {(one["in"], one["name"]): one for one in operation.get("parameters", [])}
        for name, value in query.items():
            parameter = parameters.get(("query", name))
            if parameter is None:
                found.append(f"no parameter {name}")
                continue
            schema = parameter["schema"]
            typed: Any = value
            if schema.get("type") == "integer":
                typed = int(value)
            elif schema.get("type") == "array":
                typed = value.split(",")
            found += self._errors(schema, typed)
        lower = {name.lower() for name in headers}
        found += [
            f"no header {name}"
            for (where, name), one in parameters.items()
            if where == "header" and one.get("required") and name.lower() not in lower
        ]
        body = operation.get("requestBody")
        if body is not None:
            found += self._errors(body["content"]["application/vnd.api+json"]["schema"], document)
        elif document is not None:
            found.append("a body where none belongs")
        return found

    def response_problems(self, method: str, path: str, status: int, document: Any) -> list[str]:
        """An answer that Klaviyo would not give."""
        operation = self._operation(method, path) or {}
        answers = operation.get("responses", {})
        response = answers.get(str(status)) or answers.get(f"{status // 100}XX")
        if response is None:
            return [f"no answer {status} to {method} {path}"]
        if "$ref" in response:
            response = self._description["components"]["responses"][response["$ref"].rpartition("/")[2]]
        content = response.get("content", {}).get("application/vnd.api+json")
        return self._errors(content["schema"], document) if content else []
