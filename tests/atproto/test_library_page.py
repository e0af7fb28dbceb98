"""docs/library.md, run from top to bottom on the fake network."""

from __future__ import annotations

import builtins
import json
import re
import threading
from functools import partial
from importlib import import_module
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, urlsplit
from urllib.request import urlopen

import pytest
from werkzeug.wrappers import Request

import app.atproto
from tests.fakes.directory import json_response
from tests.late import Late

if TYPE_CHECKING:
    from tests.fakes.network import FakeNetwork
    from tests.fakes.world import World

adapter = Late("app.atproto.sdk")

PAGE = Path(__file__).resolve().parents[2] / "docs" / "library.md"
BLOCKS = re.findall(
    r"^```python\n(.*?)^```", PAGE.read_text(), re.DOTALL | re.MULTILINE
)


class Reader:
    """A reader who pastes each block into one session, at a desk of our making."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.printed: list[str] = []
        self.seen: list[str] = []
        """What the browser showed at the end of the way back."""
        self.visits: list[threading.Thread] = []
        self.desk: dict[str, Any] = {
            "time": SimpleNamespace(time=world.clock),
            "webbrowser": SimpleNamespace(open=self._opens),
            "latchkey_atproto": self._library(),
            "latchkey_atproto.sdk": SimpleNamespace(
                open_sdk_client=lambda session: adapter.open_sdk_client(
                    session, monotonic=world.clock.monotonic
                )
            ),
        }
        overrides = {
            "__import__": self._imports,
            "print": lambda *words: self.printed.append(" ".join(map(str, words))),
            "input": lambda _prompt: world.alice.handle,
        }
        self.names: dict[str, Any] = {
            "__name__": "page",
            "__builtins__": {**vars(builtins), **overrides},
        }

    def _library(self) -> SimpleNamespace:
        """The public names, on the fake network."""
        names = {name: getattr(app.atproto, name) for name in app.atproto.__all__}
        return SimpleNamespace(
            **{
                **names,
                "SafeHTTP": partial(
                    app.atproto.SafeHTTP,
                    adapter=self.world.network,
                    monotonic=self.world.clock.monotonic,
                ),
                "Deadline": SimpleNamespace(after=self._deadline),
                "open_client": partial(app.atproto.open_client, txt=self.world.dns),
                "open_discovery": partial(
                    app.atproto.open_discovery, txt=self.world.dns
                ),
            }
        )

    def _deadline(self, seconds: float) -> app.atproto.Deadline:
        return app.atproto.Deadline.after(seconds, self.world.clock.monotonic)

    def _imports(self, name: str, *rest: Any) -> Any:
        return self.desk[name] if name in self.desk else __import__(name, *rest)

    def _opens(self, url: str) -> None:
        """Approve at the host, then follow the way back to the program's listener."""
        page = self.world.servers[urlsplit(url).netloc].open(url, device="a browser")
        back = page.approves().url
        visit = threading.Thread(target=self._visits, args=[back])
        self.visits.append(visit)
        visit.start()

    def _visits(self, url: str) -> None:
        with urlopen(url, timeout=20) as answer:
            self.seen.append(answer.read().decode())

    def runs(self, code: str) -> None:
        exec(compile(code, str(PAGE), "exec"), self.names)


@pytest.fixture
def reader(world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Reader:
    monkeypatch.setenv("HOME", str(tmp_path))
    return Reader(world)


def served(names: dict[str, Any], network: FakeNetwork) -> None:
    """Publish the page's metadata where it says that it is."""

    def site(environ: Any, start_response: Any) -> Any:
        found = Request(environ).url == names["document"]["client_id"]
        answer = json_response(names["document"] if found else {})
        return answer(environ, start_response)

    network.serve("relay.app", site)


def test_the_page_does_what_it_says(
    reader: Reader, world: World, network: FakeNetwork, tmp_path: Path
) -> None:
    for code in BLOCKS:
        reader.runs(code)
    for visit in reader.visits:
        visit.join(timeout=20)

    alice, skyhost = world.alice, world.skyhost
    uri = f"at://{alice.did}/app.relay.track/1"
    link, *printed = reader.printed
    assert link.startswith("Your browser opens; if it does not, go to https://as.")
    assert printed == [
        f"Signed in as {alice.handle}",
        f"200 {{'did': '{alice.did}', 'handle': '{alice.handle}'}}",
        uri,
        "ask for repo:app.relay.playlist",
        "not without repo:app.relay.playlist?action=create",
        f"{uri} Night train",
        f"at://{alice.did}/app.relay.track/2 Dawn chorus",
        f"{alice.handle} {alice.did}",
        "did you mean alice.relay.app",
        f"{alice.did} {alice.handle} {skyhost.pds.origin} {skyhost.server.issuer}",
    ]
    [page] = reader.seen
    assert "<h1>You are signed in</h1>" in page
    assert "Go back to Relay." in page
    assert world.skyhost.pds.records == {
        uri: {"$type": "app.relay.track", "title": "Night train"}
    }
    assert not any(grant.alive for grant in world.skyhost.server.grants.all)
    files = {path.name: path for path in (tmp_path / ".local/state/relay").iterdir()}
    assert json.loads(files["sessions.json"].read_text()) == {}


def test_the_web_application_of_the_page_signs_people_in(
    reader: Reader, world: World, network: FakeNetwork
) -> None:
    for code in BLOCKS:
        reader.runs(code)
    served(reader.names, network)

    url, cookie = reader.names["begin"](world.alice.handle)
    page = world.servers[urlsplit(url).netloc].open(url, device="a browser")
    query = parse_qsl(urlsplit(page.approves().url).query)

    with pytest.raises(app.atproto.BrowserMismatch):
        reader.names["finish"](query, ["another browser's"])
    assert reader.names["finish"](query, [cookie]) == (
        world.alice.did,
        "/where/they/were",
    )


def test_the_page_names_nothing_that_is_not_public() -> None:
    words = set(re.findall(r"`([A-Z][A-Za-z]+[a-z])`", PAGE.read_text()))

    foreign = {"HttpOnly", "Secure", "Client", "AsyncClient"}
    of_the_sdk = set(dir(import_module("atproto_client.exceptions")))
    assert words - foreign - of_the_sdk <= set(app.atproto.__all__)
