"""Where the answer of a stream is made under gunicorn: not where it waits."""

from __future__ import annotations

import gevent
import pytest

from app.serving.streams import ShallowStreams

STREAM = {"HTTP_ACCEPT": "text/event-stream"}


def start_response(*_status):
    """Take a status, which these applications do not send."""


def where(_environ, _start_response):
    """Answer with the greenlet that made the answer."""
    return gevent.getcurrent()


def fails(_environ, _start_response):
    raise KeyError("the application's own")


@pytest.mark.parametrize("environ", [{}, {"HTTP_ACCEPT": "application/json"}])
def test_other_requests_are_answered_on_their_own_greenlet(environ):
    answered = ShallowStreams(where)(environ, start_response)

    assert answered is gevent.getcurrent()


def test_stream_is_answered_on_a_greenlet_that_has_ended():
    answered = ShallowStreams(where)(STREAM, start_response)

    assert answered is not gevent.getcurrent()
    assert answered.dead


def test_exception_of_the_application_is_raised_to_the_server():
    with pytest.raises(KeyError, match="the application's own"):
        ShallowStreams(fails)(STREAM, start_response)
