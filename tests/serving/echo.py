"""A WSGI application that echoes what gunicorn made of a request, and can wait.

`/silence` waits as getaddrinfo does for a name whose servers keep silent: on a real
thread of the hub's, until `/end` or until the time is over.
"""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterable
from typing import Any

from gevent import get_hub
from gevent.monkey import get_original

LONGEST_WAIT = 20.0
released = threading.Event()
ended = threading.Event()
silences: list[None] = []


def keep_silent() -> None:
    """Block a real thread, which no greenlet switches away from."""
    sleep = get_original("time", "sleep")
    for _ in range(int(LONGEST_WAIT / 0.05)):
        if ended.is_set():
            return
        sleep(0.05)


def app(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
    """Answer with the scheme and the mount point; `/wait` waits for `/release`."""
    match environ["PATH_INFO"]:
        case "/wait":
            text = "released" if released.wait(LONGEST_WAIT) else "forgotten"
        case "/release":
            released.set()
            text = "releasing"
        case "/silence":
            silences.append(None)
            get_hub().threadpool.apply(keep_silent)
            text = "no answer"
        case "/silences":
            text = str(len(silences))
        case "/lookup":
            text = str(socket.getaddrinfo("127.0.0.1", 80)[0][4])
        case "/end":
            ended.set()
            text = "ending"
        case "/fail":
            raise RuntimeError("this application fails when it is told to")
        case _:
            text = f"{environ['wsgi.url_scheme']} {environ['SCRIPT_NAME']}"
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [text.encode()]
