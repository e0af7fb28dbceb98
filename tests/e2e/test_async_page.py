"""docs/async.md: its FastAPI application on the reference PDS."""

from __future__ import annotations

import builtins
import re
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import requests
import uvicorn

import app.atproto
from app.atproto import aio
from app.atproto.aio import sdk
from tests.e2e import host
from tests.e2e.laboratory import Laboratory
from tests.lab.processes import session

PAGE = Path(__file__).resolve().parents[2] / "docs" / "async.md"
(PROGRAM,) = re.findall(
    r"^```python\n(.*?)^```", PAGE.read_text(), re.DOTALL | re.MULTILINE
)
LAB = app.atproto.NetworkPolicy.lab()
TRACK = "app.relay.track"


def library(lab: Laboratory) -> dict[str, Any]:
    """Return the modules that the page imports, in the laboratory's network."""
    network = lab.network
    names = {name: getattr(app.atproto, name) for name in app.atproto.__all__}
    ca = str(network.ca) if network.ca else None
    lookup = app.atproto.DnsTxtLookup([("127.0.0.1", network.dns.port)])
    return {
        "latchkey_atproto": SimpleNamespace(
            **{
                **names,
                "NetworkPolicy": lambda: LAB,
                "SafeHTTP": partial(app.atproto.SafeHTTP, ca_bundle=ca),
                "parse_identifier": partial(
                    app.atproto.parse_identifier, allow_test=True
                ),
            }
        ),
        "latchkey_atproto.aio": SimpleNamespace(
            AsyncLiveSession=aio.AsyncLiveSession,
            open_async_client=partial(
                aio.open_async_client, policy=LAB, plc_url=network.plc_url, txt=lookup
            ),
        ),
        "latchkey_atproto.aio.sdk": sdk,
    }


def application(lab: Laboratory) -> Any:
    """Run the program of the page; return its application."""
    modules = library(lab)

    def imports(name: str, *rest: Any) -> Any:
        return modules[name] if name in modules else __import__(name, *rest)

    names = {
        "__name__": "relay",
        "__builtins__": {**vars(builtins), "__import__": imports},
    }
    exec(compile(PROGRAM, str(PAGE), "exec"), names)
    return names["app"]


@contextmanager
def served(program: Any) -> Iterator[str]:
    """Serve an application on a port that the system chooses; yield its address."""
    with closing(socket.create_server(("127.0.0.1", 0))) as listening:
        config = uvicorn.Config(program, lifespan="on", log_config=None)
        server = uvicorn.Server(config)
        thread = threading.Thread(
            target=server.run, kwargs={"sockets": [listening]}, daemon=True
        )
        thread.start()
        while not server.started and thread.is_alive():
            time.sleep(0.05)
        yield f"http://127.0.0.1:{listening.getsockname()[1]}"
        server.should_exit = True
        thread.join(60)
        assert not thread.is_alive()


@pytest.fixture
def url(lab: Laboratory) -> Iterator[str]:
    with served(application(lab)) as url:
        yield url


def records(lab: Laboratory, did: str) -> list[dict[str, Any]]:
    """Return the tracks that the PDS shows to everyone."""
    with session(lab.network.ca) as http:
        answer = http.get(
            f"{lab.network.pds_url}/xrpc/com.atproto.repo.listRecords",
            params={"repo": did, "collection": TRACK},
            timeout=30,
        )
    listed: list[dict[str, Any]] = answer.json()["records"]
    return listed


def test_the_application_signs_in_writes_a_record_and_signs_out(
    lab: Laboratory, url: str
) -> None:
    account = lab.new_account()
    context = lab.browser.new_context(locale="en-US")
    context.set_default_timeout(60_000)
    try:
        page = context.new_page()
        page.goto(f"{url}/login?handle={account.handle}")
        host.sign_in(page, account)
        host.authorize(page)
        page.wait_for_url(f"{url}/")
        who = context.request.get(f"{url}/").json()
        made = context.request.post(f"{url}/tracks?title=Night+train").json()
        written = records(lab, account.did)
        refused = context.request.get(f"{url}/callback?code=x&state=y&iss=z")
        ended = context.request.post(f"{url}/logout").json()
        after = context.request.post(f"{url}/tracks?title=Dawn+chorus")
    finally:
        context.close()

    assert who == {"did": account.did, "handle": account.handle}
    assert [one["uri"] for one in written] == [made["uri"]]
    assert written[0]["value"]["title"] == "Night train"
    assert ended == {"revoked_at_host": True}
    assert (refused.status, after.status) == (502, 401)
    assert [one["uri"] for one in records(lab, account.did)] == [made["uri"]]


def test_a_stranger_is_asked_to_sign_in(url: str) -> None:
    assert requests.get(f"{url}/", timeout=30).status_code == 401
