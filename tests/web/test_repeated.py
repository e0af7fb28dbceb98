"""Answers that are given again before Flask sees the request."""

from __future__ import annotations

from itertools import count

import pytest
from flask import Flask, Response, abort, request
from werkzeug.test import TestResponse

from app.web import repeated
from app.web.repeated import LONGEST_REQUEST, Repeated, keep


class Answers:
    """A Flask application that counts what it answers itself."""

    def __init__(self) -> None:
        self.is_same = True
        self.sets_cookie = False
        self.status = 200
        numbers = count(1)
        flask = Flask("answers")

        @flask.route("/oauth/userinfo", methods=["GET", "POST"])
        @flask.get("/auth/account")
        def show() -> Response:
            if request.args.get("broken"):
                abort(500)
            response = Response(str(next(numbers)), status=self.status)
            if self.sets_cookie:
                response.set_cookie("token", "fresh")
            if not request.args.get("each"):
                keep(lambda: self.is_same)
            return response

        self._flask = flask
        flask.wsgi_app = Repeated(flask.wsgi_app)  # type: ignore[method-assign]

    def get(self, path: str = "/oauth/userinfo", **options: object) -> TestResponse:
        return self._flask.test_client(use_cookies=False).open(path, **options)


@pytest.fixture
def answers() -> Answers:
    return Answers()


def test_same_request_gets_the_same_answer(answers: Answers) -> None:
    first, second = answers.get(), answers.get()

    assert (first.text, second.text) == ("1", "1")
    assert first.headers == second.headers


@pytest.mark.parametrize("name", ["Cookie", "Authorization", "Sec-Purpose", "X-New"])
def test_request_with_another_header_is_answered_anew(
    answers: Answers, name: str
) -> None:
    texts = [answers.get(headers={name: value}).text for value in ("a", "b", "a")]

    assert texts == ["1", "2", "1"]


@pytest.mark.parametrize("name", ["X-Original-URL", "User-Agent", "X-Forwarded-For"])
def test_request_for_another_page_behind_the_proxy_gets_the_same_answer(
    answers: Answers, name: str
) -> None:
    texts = [answers.get(headers={name: value}).text for value in ("a", "b")]

    assert texts == ["1", "1"]


def test_request_with_another_query_or_host_is_answered_anew(answers: Answers) -> None:
    answers.get()

    assert answers.get("/oauth/userinfo?group=a").text == "2"
    assert answers.get(base_url="http://another.test").text == "3"


def test_answer_whose_condition_no_longer_holds_is_made_anew(answers: Answers) -> None:
    answers.get()
    answers.is_same = False

    assert answers.get().text == "2"


def test_answer_with_a_cookie_is_for_one_browser(answers: Answers) -> None:
    answers.sets_cookie = True

    assert [answers.get().text for _ in range(2)] == ["1", "2"]


@pytest.mark.parametrize("status", [206, 401, 403, 500, 503])
def test_answer_that_is_no_200_is_not_kept(answers: Answers, status: int) -> None:
    answers.status = status

    assert [answers.get().text for _ in range(2)] == ["1", "2"]


def test_answer_of_a_view_that_keeps_nothing_is_made_anew(answers: Answers) -> None:
    assert [answers.get("/oauth/userinfo?each=1").text for _ in range(2)] == ["1", "2"]


@pytest.mark.parametrize("method", ["HEAD", "POST"])
def test_request_with_another_method_is_answered_anew(
    answers: Answers, method: str
) -> None:
    answers.get()
    answers.get(method=method)

    assert answers.get(method=method).status_code == 200
    assert answers.get("/oauth/userinfo?each=1").text == "4"


def test_path_that_is_not_repeated_is_answered_anew(answers: Answers) -> None:
    assert [answers.get("/auth/account").text for _ in range(2)] == ["1", "2"]


def test_long_request_is_answered_anew(answers: Answers) -> None:
    long = {"X-Long": "x" * LONGEST_REQUEST}

    assert [answers.get(headers=long).text for _ in range(2)] == ["1", "2"]


def test_the_answer_not_asked_for_longest_goes_first(
    answers: Answers, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(repeated, "MOST_ANSWERS", 2)

    texts = [answers.get(headers={"Cookie": one}).text for one in "abacab"]

    assert texts == ["1", "2", "1", "3", "1", "4"]
