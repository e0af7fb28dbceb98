"""Writes docs/http.md from docs/openapi.yaml: `python -m tests.openapi.page`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from tests.openapi.document import Operation, document, operations, resolved

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

PAGE = Path(__file__).resolve().parents[2] / "docs/http.md"

HEAD = """\
# HTTP reference

<!-- Made from docs/openapi.yaml by `python -m tests.openapi.page`; change that. -->

Every route of the service. [openapi.yaml](openapi.yaml) is the same as OpenAPI 3.1,
with the schemas. Tests hold it against the routes, and compare each answer of the
service in the tests with it.

HEAD is answered as GET is, and OPTIONS with the methods. A failure of a service's or
an app's route is JSON: `{"error": CODE, "error_description": TEXT, "reference": ID}`;
that of a page is a page, or the same JSON for a client that prefers it. Every operation
may fail with 500 `internal` and 503 `service_unavailable`; 404 `not_found` and 405
`method_not_allowed` are for addresses and methods that are not listed here.
"""


def text() -> str:
    """Return the text of the page."""
    return "\n".join([HEAD, *_body()])


def _body() -> Iterator[str]:
    for tag in document()["tags"]:
        named = [one for one in operations() if tag["name"] in one.content["tags"]]
        yield f"## For {tag['name']}\n\n{tag['description']}\n"
        for operation in _merged(named):
            yield from _section(*operation)
    yield "## Marks of access\n\n| mark | what it admits |\n|---|---|"
    yield from _rows(document()["x-access-marks"])
    yield "\n## Cookies\n"
    yield "All are HttpOnly and SameSite=Lax; in production Secure, and all but the"
    yield "first carry the prefix `__Host-`.\n"
    yield "| cookie | lifetime | what it is |\n|---|---|---|"
    for cookie in document()["x-cookies"].values():
        told = f"`{cookie['name']}` | {cookie['lifetime']} | {cookie['description']}"
        yield f"| {told} |"
    yield "\n## Headers of every answer\n\n| header | value |\n|---|---|"
    yield from _rows(document()["x-headers"])
    yield ""


def _merged(named: list[Operation]) -> Iterator[tuple[str, Operation]]:
    """Yield heading and operation; methods that are answered alike come once."""
    same: dict[tuple[str, str], list[Operation]] = {}
    for one in named:
        same.setdefault((one.path, one.content["summary"]), []).append(one)
    for (path, _), alike in same.items():
        methods = ", ".join(one.method.upper() for one in alike)
        yield f"{methods} {path}", alike[0]


def _section(heading: str, operation: Operation) -> Iterator[str]:
    content = operation.content
    yield f"### {heading}\n\n{content['summary']}. Access: `{content['x-access']}`."
    if "description" in content:
        yield f"\n{content['description']}"
    yield from _inputs(operation)
    yield "\n| status | answer |\n|---|---|"
    for status, response in content["responses"].items():
        if status not in {"500", "503"} or "$ref" not in response:
            yield f"| {status} | {_answer(operation, status, resolved(response))} |"
    if cookies := sorted(f"`{name}`" for name in operation.cookies):
        yield f"\nMay set {', '.join(cookies)}."
    yield ""


def _inputs(operation: Operation) -> Iterator[str]:
    given = operation.parameters
    lines = [_input(each["name"], each["in"], each) for each in given]
    body = operation.content.get("requestBody", {}).get("content", {})
    for media_type, media in body.items():
        kind = "form" if media_type.endswith("urlencoded") else media_type
        fields = media["schema"].get("properties", {})
        lines += [_input(name, kind, field) for name, field in fields.items()]
    if lines:
        yield "\n| input | in | what it is |\n|---|---|---|"
        yield from lines


def _input(name: str, place: str, described: Mapping[str, Any]) -> str:
    choices = described.get("schema", described).get("enum", ())
    meaning = described.get("description") or " or ".join(f"`{one}`" for one in choices)
    return f"| `{name}` | {place} | {meaning} |"


def _answer(operation: Operation, status: str, response: Mapping[str, Any]) -> str:
    codes = ", ".join(f"`{code}`" for code in operation.errors.get(status, ()))
    names = [f"`{name}`" for name in response.get("headers", {})]
    schema = next(iter(response.get("content", {}).values()), {}).get("schema", {})
    fields = resolved(schema).get("properties", {}) if not codes else {}
    told = [codes or response["description"]]
    told += [f"Fields: {', '.join(f'`{name}`' for name in fields)}."] if fields else []
    told += [f"Headers: {', '.join(names)}."] if names and not codes else []
    return " ".join(told)


def _rows(table: Mapping[str, str]) -> Iterator[str]:
    for name, meaning in table.items():
        yield f"| `{name}` | {meaning} |"


if __name__ == "__main__":
    PAGE.write_text(text(), encoding="utf-8")
    print(PAGE)
