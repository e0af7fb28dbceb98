"""Access marks: no view without one, and each mark refuses what it should."""

from __future__ import annotations

from typing import TYPE_CHECKING, get_args

import pytest
from flask import Flask, Response, request

from app.web.security import access
from app.web.security.access import MARK, SAFE, Mark, Unmarked
from tests.fakes.network import Answer
from tests.service import Service

if TYPE_CHECKING:
    from collections.abc import Iterator

    from werkzeug.routing import Rule

ELSEWHERE = {"Origin": "https://evil.cafe", "Sec-Fetch-Site": "cross-site"}
SIBLING = {"Origin": "https://app.platform.cafe", "Sec-Fetch-Site": "same-site"}
PROGRAM: dict[str, str] = {}

REFUSES: dict[Mark, tuple[dict[str, str], ...]] = {
    "form": (ELSEWHERE, SIBLING, PROGRAM),
    "sign_out": (ELSEWHERE, PROGRAM),
    "program": (ELSEWHERE, SIBLING),
    "authorize": (),
    "client": (),
    "call": (ELSEWHERE, PROGRAM),
    "page": (),
    "callback": (),
    "link": (),
    "token": (),
    "document": (),
    "probe": (),
}
"""Requests that a mark answers with 403 cross_site, for each method."""


def routes(service: Service) -> Iterator[tuple[Rule, str, Mark]]:
    """Walk every route with every method that it takes."""
    for rule in service.app.url_map.iter_rules():
        mark = getattr(service.app.view_functions[rule.endpoint], MARK)
        for method in sorted(rule.methods or ()):
            yield rule, method, mark


def asked(service: Service, rule: Rule, method: str, headers: dict[str, str]) -> Answer:
    path = rule.rule.replace("<", "").replace(">", "").replace("path:", "")
    browser = service.browser(fetch_metadata=False)
    return browser.requests(method, service.home + path, headers=headers)


def is_refused(answer: Answer) -> bool:
    return answer.status == 403 and b"cross_site" in answer.body


def test_every_mark_is_tested() -> None:
    assert set(REFUSES) == set(get_args(Mark))


def test_every_route_has_a_mark(service: Service) -> None:
    marks = {mark for _, _, mark in routes(service)}

    assert marks == set(get_args(Mark))


def test_each_route_and_method_refuses_what_its_mark_names(service: Service) -> None:
    for rule, method, mark in routes(service):
        if method == "HEAD" or (
            method == "OPTIONS" and mark in {"form", "sign_out", "program"}
        ):
            continue  # GET without a body; Flask's own list of methods, run by no view
        for headers in (ELSEWHERE, SIBLING, PROGRAM):
            answer = asked(service, rule, method, headers)
            expected = headers in REFUSES[mark]
            assert is_refused(answer) is expected, (rule.rule, method, mark, headers)


CHANGING = {"form", "sign_out", "token", "program", "authorize", "client", "call"}


def test_marks_without_a_check_take_only_safe_methods(service: Service) -> None:
    for rule, method, mark in routes(service):
        assert method in SAFE or mark in CHANGING, rule


def view() -> str:
    return "anybody reaches this"


def test_application_with_an_unmarked_view_is_refused() -> None:
    app = Flask(__name__)
    app.add_url_rule("/forgotten", view_func=view)

    with pytest.raises(Unmarked, match="/forgotten"):
        access.init_app(app)


def test_page_that_takes_a_post_is_refused() -> None:
    app = Flask(__name__)
    app.add_url_rule(
        "/page", view_func=access.access("page")(lambda: ""), methods=["POST"]
    )

    with pytest.raises(Unmarked, match="POST"):
        access.init_app(app)


def test_view_that_is_added_later_answers_with_an_error() -> None:
    app = Flask(__name__)
    access.init_app(app)
    app.add_url_rule("/late", view_func=view)

    assert app.test_client().get("/late").status_code == 500


def test_client_view_gets_and_sets_no_cookie() -> None:
    def echo() -> Response:
        response = Response(repr(request.cookies.to_dict()))
        response.set_cookie("ours", "x")
        return response

    app = Flask(__name__)
    app.add_url_rule("/token", view_func=access.access("client")(echo))
    access.init_app(app)

    client = app.test_client(use_cookies=False)
    answer = client.get("/token", headers={"Cookie": "session=canary"})

    assert answer.text == "{}"
    assert "Set-Cookie" not in answer.headers
