"""Doors to real servers on loopback, for the tests of the door and its transport."""

from __future__ import annotations

from io import BytesIO
from typing import TYPE_CHECKING, Any

from requests.adapters import BaseAdapter, HTTPAdapter
from urllib3 import HTTPResponse

from app.atproto.http.client import Deadline, NetworkPolicy, SafeHTTP

if TYPE_CHECKING:
    from collections.abc import Sequence

    from app.atproto.http.client import Response
    from tests.fakes.hostile import HostileServer

USER_AGENT = "Latchkey/1 (+https://platform.dev/contact)"
HOST = "pds.host.dev"

STRICT_BUT_PORTS = NetworkPolicy(allow_any_port=True)
"""The rules of production; servers on loopback cannot have port 443, though."""


class Addresses:
    """A resolver with a table; each answer is used once, the last one for good."""

    def __init__(self, *answers: Sequence[str]) -> None:
        self._answers = list(answers)
        self.asked: list[str] = []

    def __call__(self, host: str, port: int) -> Sequence[str]:
        self.asked.append(host)
        last = len(self._answers) == 1
        return self._answers[0] if last else self._answers.pop(0)


class Door:
    """A door under test, with short ways to knock."""

    def __init__(self, policy: NetworkPolicy, *addresses: Sequence[str], **door: Any):
        self.resolve = Addresses(*(addresses or [["127.0.0.1"]]))
        self.http = SafeHTTP(
            policy=policy,
            user_agent=USER_AGENT,
            resolve=door.pop("resolve", self.resolve),
            **door,
        )

    def __enter__(self) -> Door:
        return self

    def __exit__(self, *_: object) -> None:
        self.http.close()

    def get(self, server: HostileServer, path: str = "/", **options: Any) -> Response:
        return self.request("GET", server, path, **options)

    def post(self, server: HostileServer, path: str = "/", **options: Any) -> Response:
        return self.request("POST", server, path, **{"body": b"a=b"} | options)

    def request(
        self, method: str, server: HostileServer, path: str = "/", **options: Any
    ) -> Response:
        scheme = options.pop("scheme", "http")
        seconds = options.pop("seconds", 30.0)
        host = options.pop("host", HOST)
        return self.http.request(
            method,
            f"{scheme}://{host}:{server.port}{path}",
            **{"deadline": Deadline.after(seconds), "limit": 10_000} | options,
        )


class OneAnswer(BaseAdapter):
    """A network on which everything gets the same answer, or the same failure."""

    def __init__(self, status=200, headers=(), body=b"", *, before=lambda: None):
        super().__init__()
        self._answer = status, dict(headers), body
        self._before = before
        self.urls = []

    def send(self, request, **kwargs):
        self.urls.append(request.url)
        self._before()
        status, headers, body = self._answer
        raw = HTTPResponse(BytesIO(body), headers, status, preload_content=False)
        return HTTPAdapter().build_response(request, raw)

    def close(self):
        pass
