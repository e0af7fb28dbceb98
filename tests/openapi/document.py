"""docs/openapi.yaml as the tests read it: operations, responses, failures, cookies."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

PATH = Path(__file__).resolve().parents[2] / "docs/openapi.yaml"
METHODS = ("get", "post", "put", "patch", "delete", "options")

EVERYWHERE = {"500": ["internal"], "503": ["service_unavailable"]}
"""Failures of every operation, by status."""


@cache
def document() -> Mapping[str, Any]:
    """Return the document; read once, because parsing takes 0.3 seconds."""
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    parsed: Mapping[str, Any] = yaml.load(PATH.read_text("utf-8"), loader)  # noqa: S506
    return parsed


def resolved(part: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return what a reference of the document leads to."""
    while "$ref" in part:
        *names, last = part["$ref"].removeprefix("#/").split("/")
        found: Any = document()
        for name in (*names, last):
            found = found[name]
        part = found
    return part


def path_of(rule: str) -> str:
    """Return Flask's rule as OpenAPI writes it: `/auth/users/{who}`."""
    return re.sub(r"<(?:\w+:)?(\w+)>", r"{\1}", rule)


@dataclass(frozen=True, slots=True)
class Operation:
    """One method of one path."""

    path: str
    method: str
    content: Mapping[str, Any]

    def __str__(self) -> str:
        return f"{self.method.upper()} {self.path}"

    @property
    def errors(self) -> Mapping[str, list[str]]:
        """Codes of failures by status, those of every operation among them."""
        own: Mapping[str, list[str]] = self.content.get("x-errors", {})
        return {**EVERYWHERE, **own}

    @property
    def codes(self) -> set[str]:
        return {code for codes in self.errors.values() for code in codes}

    @property
    def cookies(self) -> set[str]:
        named = (
            document()["x-cookies"][name] for name in self.content.get("x-cookies", ())
        )
        return {cookie["name"].rstrip("*") for cookie in named}

    @property
    def parameters(self) -> list[Mapping[str, Any]]:
        """Parameters of the path, then those of the operation."""
        item = document()["paths"][self.path]
        given = (*item.get("parameters", ()), *self.content.get("parameters", ()))
        return [resolved(each) for each in given]

    def response(self, status: int) -> Mapping[str, Any] | None:
        """Return the response of a status, or that of its class (`2XX`), or None."""
        responses = self.content["responses"]
        found = responses.get(str(status)) or responses.get(f"{status // 100}XX")
        return None if found is None else resolved(found)


def operations() -> Iterator[Operation]:
    """Yield every operation of the document."""
    for path, item in document()["paths"].items():
        for method in METHODS:
            if method in item:
                yield Operation(path, method, item[method])


def find(path: str, method: str) -> Operation | None:
    """Return an operation; HEAD is answered as GET is."""
    item = document()["paths"].get(path, {})
    asked = "get" if method == "HEAD" else method.lower()
    return Operation(path, asked, item[asked]) if asked in item else None
