"""Compares each answer of the service in the tests with docs/openapi.yaml.

`tests/service.py` connects it to every application, so that all journeys hold the
document: status, Content-Type, headers, cookies and the code of a failure.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any

from flask import Flask, g, request, request_finished

from .document import Operation, document, find, path_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from flask import Response

UNWRITTEN = frozenset({"content-type", "content-length", "date", "set-cookie", "allow"})
"""Headers of HTTP itself, which OpenAPI does not describe for each response."""

WITHOUT_BODY = frozenset({204, 302, 304})


@dataclass(frozen=True, slots=True)
class Answer:
    """What the document describes of an answer."""

    status: int
    media_type: str
    code: str
    names: frozenset[str]
    cookies: frozenset[str]


class Answers:
    """Collects what answers have that the document does not name."""

    def __init__(self, app: Flask) -> None:
        self.undocumented: set[str] = set()
        request_finished.connect(self._compare, app)

    def _compare(self, _: Flask, *, response: Response, **__: Any) -> None:
        if request.url_rule is None:
            return
        path = path_of(request.url_rule.rule)
        names = frozenset(name.lower() for name in response.headers.keys())  # noqa: SIM118
        cookies = frozenset(map(_cookie_name, response.headers.getlist("Set-Cookie")))
        code = g.get("failure_code", "")
        answer = Answer(response.status_code, response.mimetype, code, names, cookies)
        self.undocumented |= missing(path, request.method, answer)


def _cookie_name(header: str) -> str:
    return header.partition("=")[0].removeprefix("__Host-")


@cache
def missing(path: str, method: str, answer: Answer) -> frozenset[str]:
    """Return what to add to docs/openapi.yaml."""
    return frozenset(_missing(path, method, answer))


def _missing(path: str, method: str, answer: Answer) -> Iterator[str]:
    """Yield what to add to docs/openapi.yaml, one line for each."""
    operation = find(path, method)
    if operation is None:
        if method != "OPTIONS":  # Flask's own answer to it
            yield f"paths: {path}: {method.lower()}"
        return
    here = f"paths: {path}: {operation.method}:"
    response = operation.response(answer.status)
    if response is None:
        yield f"{here} responses: '{answer.status}'"
        return
    if answer.code and not _names_code(operation, answer):
        yield f"{here} x-errors: '{answer.status}': {answer.code}"
    known = tuple(operation.cookies)
    yield from (
        f"{here} x-cookies: {c}" for c in answer.cookies if not c.startswith(known)
    )
    here = f"{here} responses: '{answer.status}':"
    if method != "HEAD":
        yield from _missing_type(here, answer, response)
    named = {name.lower() for name in (*response.get("headers", {}), *_standard())}
    yield from (f"{here} headers: {n}" for n in answer.names - named - UNWRITTEN)


def _names_code(operation: Operation, answer: Answer) -> bool:
    """Tell whether a failure is named; one that redirects may have any status."""
    if answer.status < 400:
        return answer.code in operation.codes
    return answer.code in operation.errors.get(str(answer.status), [])


def _missing_type(
    here: str, answer: Answer, response: Mapping[str, Any]
) -> Iterator[str]:
    content = response.get("content", {})
    has_body = answer.status not in WITHOUT_BODY and bool(content)
    if has_body and not {answer.media_type, "*/*"} & set(content):
        yield f"{here} content: {answer.media_type}"


def _standard() -> Mapping[str, str]:
    named: Mapping[str, str] = document()["x-headers"]
    return named
