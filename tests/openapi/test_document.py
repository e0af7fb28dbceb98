"""docs/openapi.yaml is valid OpenAPI 3.1, and says what the application has."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, get_args

import jsonschema_rs
import pytest
from flask import Flask
from schemathesis.specs.openapi.definitions import OPENAPI_31_VALIDATOR

from app.config import VERSION
from app.factory.web import open_flask
from app.failures import Row
from app.failures.table import AUTHORIZATION_ERRORS, TABLE
from app.web import cookies
from app.web.errors import HTTP_CODES, OWN
from app.web.security.access import MARK, Mark
from tests.openapi import page
from tests.openapi.document import (
    Operation,
    document,
    operations,
    path_of,
    resolved,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

ROWS: list[Row] = [
    *TABLE.values(),
    *OWN.values(),
    *HTTP_CODES.values(),
    *AUTHORIZATION_ERRORS.values(),
    Row("wrong_browser", 403),
]
WITHOUT_OPERATION = {"method_not_allowed"}
"""Failures of requests that reach no operation."""


@pytest.fixture(scope="module")
def app() -> Flask:
    """The application with its routes and without a deployment."""
    return open_flask()


def routes(app: Flask) -> dict[tuple[str, str], str]:
    """Return the access mark of each path and method; HEAD is as GET."""
    found = {}
    for rule in app.url_map.iter_rules():
        methods = rule.methods or set()
        view = app.view_functions[rule.endpoint]
        implied = {"HEAD", "OPTIONS"} if rule.provide_automatic_options else {"HEAD"}
        for method in methods - implied:
            found[path_of(rule.rule), method.lower()] = getattr(view, MARK)
    return found


def parts(value: Any) -> Iterator[dict[str, Any]]:
    """Yield every mapping of the document."""
    if isinstance(value, dict):
        yield value
    children = value.values() if isinstance(value, dict) else value
    if isinstance(value, dict | list):
        for child in children:
            yield from parts(child)


def test_document_is_valid_openapi_3_1():
    errors = list(OPENAPI_31_VALIDATOR.iter_errors(document()))

    assert [error.message for error in errors] == []
    assert document()["info"]["version"] == VERSION


def test_every_schema_of_the_document_is_valid():
    for name, schema in document()["components"]["schemas"].items():
        assert jsonschema_rs.meta.is_valid(schema), name


def test_every_reference_of_the_document_leads_somewhere():
    referring = [part for part in parts(document()) if "$ref" in part]
    used = {part["$ref"] for part in referring}
    there = {
        f"#/components/{kind}/{name}"
        for kind, named in document()["components"].items()
        for name in named
        if kind != "securitySchemes"
    }

    assert all(resolved(part) for part in referring)
    assert used == there


def test_document_has_every_route_and_no_other(app):
    documented = {(one.path, one.method) for one in operations()}
    missing = [
        f"{method.upper()} {path}: add to docs/openapi.yaml, below `paths: {path}:`, "
        f"`{method}:` with operationId, tags, summary, `x-access: {mark}`, x-errors "
        "and responses; then `python -m tests.openapi.page`"
        for (path, method), mark in sorted(routes(app).items())
        if (path, method) not in documented
    ]
    gone = [
        f"{method.upper()} {path}: no such route, remove it from docs/openapi.yaml"
        for path, method in sorted(documented - set(routes(app)))
    ]

    assert [*missing, *gone] == []


def test_each_operation_has_the_access_mark_of_its_view(app):
    marks = routes(app)

    for one in operations():
        assert one.content["x-access"] == marks[one.path, one.method], one
    assert set(document()["x-access-marks"]) == set(get_args(Mark))


@pytest.mark.parametrize("operation", [*operations()], ids=str)
def test_failures_of_an_operation_are_rows_of_the_table(operation: Operation):
    rows = {(str(row.status), row.code) for row in ROWS}
    named = {(s, code) for s, codes in operation.errors.items() for code in codes}

    assert named <= rows | {("416", "invalid_request")}
    assert set(operation.errors) <= set(operation.content["responses"])


def test_every_code_of_the_table_is_documented():
    codes = {row.code for row in ROWS}
    named = {code for one in operations() for code in one.codes}

    assert set(document()["components"]["schemas"]["ErrorCode"]["enum"]) == codes
    assert codes - named == WITHOUT_OPERATION


def test_operation_ids_are_unique_and_tags_are_described():
    ids = [one.content["operationId"] for one in operations()]
    tags = {tag["name"] for tag in document()["tags"]}

    assert len(ids) == len(set(ids))
    assert {tag for one in operations() for tag in one.content["tags"]} == tags


@pytest.mark.parametrize("operation", [*operations()], ids=str)
def test_every_parameter_of_a_path_is_described(operation: Operation):
    named = {each["name"] for each in operation.parameters if each["in"] == "path"}

    assert named == set(re.findall(r"{(\w+)}", operation.path))


def test_every_cookie_of_the_service_is_described():
    named = {cookie["name"].rstrip("*") for cookie in document()["x-cookies"].values()}
    ours = {
        value.name if isinstance(value, cookies.OneValue) else value
        for name, value in vars(cookies).items()
        if isinstance(value, cookies.OneValue)
        or (name.isupper() and isinstance(value, str))
    }

    assert named == ours | {"platform_token", "latchkey-doctor"}


def test_page_is_made_from_the_document():
    assert page.PAGE.read_text("utf-8") == page.text(), (
        "run `python -m tests.openapi.page`"
    )
