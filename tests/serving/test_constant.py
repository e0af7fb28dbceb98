"""What is done once, of gunicorn's work for each request, gives the same results."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from gunicorn import util
from gunicorn.config import Config
from gunicorn.http import wsgi

from app.serving.constant import settle

formatted_by_gunicorn = util.http_date
stream_of_gunicorn = wsgi.WSGIErrorsWrapper

NOON = 1_764_504_000.0


class Clock:
    now = NOON

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def settled(clock: Clock) -> Iterator[Config]:
    made = settings()
    settle(made, clock)
    yield made
    util.http_date = formatted_by_gunicorn
    wsgi.WSGIErrorsWrapper = stream_of_gunicorn


def settings() -> Config:
    made = Config()
    made.set("limit_request_fields", 7)
    made.set("forwarded_allow_ips", "192.0.2.1")
    made.set("worker_class", "gevent")
    made.set("bind", ["127.0.0.1:8000"])
    return made


def test_settled_settings_have_the_same_values(settled: Config):
    own = settings()

    for name in own.settings:
        assert getattr(settled, name) == getattr(own, name), name
    assert vars(settled)["limit_request_fields"] == 7


@pytest.mark.parametrize("later", [0.0, 0.4, 0.999, 1.0, 1.5, 86_400.0])
def test_settled_date_is_that_of_gunicorn(settled: Config, clock: Clock, later: float):
    assert util.http_date() == formatted_by_gunicorn(NOON)

    clock.now += later

    assert util.http_date() == formatted_by_gunicorn(NOON + later)
    assert util.http_date(0) == "Thu, 01 Jan 1970 00:00:00 GMT"


def test_settled_errors_stream_writes_to_the_error_log(
    settled: Config, capsys: pytest.CaptureFixture[str]
):
    stream = wsgi.base_environ(settled)["wsgi.errors"]

    stream.write("one\n")
    stream.writelines(["two\n", "three\n"])
    stream.flush()

    assert capsys.readouterr().err == "one\ntwo\nthree\n"
