"""A person at a terminal, who runs the command line on the fake network."""

from __future__ import annotations

import io
import json
import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, urlsplit
from urllib.request import urlopen

from app.atproto.cli.outside import Network, NetworkOptions, Outside
from app.atproto.cli.program import run
from app.atproto.http.client import SafeHTTP
from app.atproto.stores.files import FileSessionStore
from tests.fakes.consent import ConsentPage, SentBack

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from app.atproto.records import OAuthSession
    from tests.fakes.world import World

SECRET_PARAMETERS = {"code", "state"}


@dataclass
class Run:
    """How one run of the program ended, and what it printed."""

    code: int
    output: bytes
    noise: str

    @property
    def text(self) -> str:
        return self.output.decode()

    @property
    def json(self) -> Any:
        """The one JSON object that a script gets."""
        [line] = self.text.splitlines()
        return json.loads(line)


class Screenful(io.TextIOWrapper):
    """An output that can be looked at, and may claim to be a terminal."""

    def __init__(self, *, is_terminal: bool = False) -> None:
        self.content = io.BytesIO()
        self._is_terminal = is_terminal
        super().__init__(self.content, encoding="utf-8", write_through=True)

    def isatty(self) -> bool:
        return self._is_terminal


class Terminal:
    """One machine: its state directory, its browser, and what has been seen."""

    def __init__(self, world: World, home: Path) -> None:
        self.world = world
        self.home = home
        self.environ = {"HOME": str(home)}
        self.decides: Callable[[ConsentPage], SentBack] = ConsentPage.approves
        self.pages: list[str] = []
        """What the browser showed at the end."""
        self.way_back: list[str] = []
        """Where the browser was sent."""
        self.opened: list[str] = []
        self.pastes: list[str] = []
        """What is pasted; "back" is where the browser ends."""
        self.input = b""
        self.is_terminal = False
        self.asked: list[NetworkOptions] = []
        self.printed: list[str] = []
        self._visits: list[threading.Thread] = []
        self._stderr = io.StringIO()

    # --- running ------------------------------------------------------------------

    def runs(self, *words: str) -> Run:
        """Run the program."""
        stdout, stderr = Screenful(is_terminal=self.is_terminal), io.StringIO()
        self._stderr = stderr
        stdin = io.TextIOWrapper(io.BytesIO(self.input))
        code = run(
            words,
            Outside(
                environ=self.environ,
                state_directory=lambda name: self.home / ".local" / "state" / name,
                stdin=stdin,
                stdout=stdout,
                stderr=stderr,
                network=self._network,
                browser=self._opens,
                ask=self._pastes,
                clock=self.world.clock,
                monotonic=self.world.clock.monotonic,
            ),
        )
        for visit in self._visits:
            visit.join(20)
        ended = Run(code, stdout.content.getvalue(), stderr.getvalue())
        self.printed += [ended.output.decode("utf-8", "replace"), ended.noise]
        return ended

    def signs_in(self, handle: str, *words: str) -> Run:
        """Run `login` and approve."""
        ended = self.runs("login", handle, *words)
        assert ended.code == 0, ended.noise + ended.text
        return ended

    def _network(self, options: NetworkOptions) -> Network:
        self.asked.append(options)
        http = SafeHTTP(
            policy=options.policy,
            user_agent="a terminal",
            adapter=self.world.network,
            monotonic=self.world.clock.monotonic,
        )
        return Network(http=http, txt=self.world.dns)

    # --- the browser --------------------------------------------------------------

    def at_host(self, url: str) -> str:
        """Decide at the host; return where that leads."""
        server = self.world.servers[urlsplit(url).netloc]
        page = server.open(url, device="the browser")
        assert isinstance(page, ConsentPage), page
        self.way_back.append(self.decides(page).url)
        return self.way_back[-1]

    def _opens(self, url: str) -> bool:
        self.opened.append(url)
        visit = threading.Thread(target=self._visits_back, args=[self.at_host(url)])
        self._visits.append(visit)
        visit.start()
        return True

    def _visits_back(self, url: str) -> None:
        with urlopen(url, timeout=20) as answer:
            self.pages.append(answer.read().decode())

    def _pastes(self, _prompt: str) -> str:
        """Paste what comes next; to get back, read the address off the screen."""
        word = self.pastes.pop(0) if self.pastes else ""
        if word != "back":
            return word
        [url] = [w for w in self._stderr.getvalue().split() if "request_uri=" in w]
        return self.at_host(url)

    # --- what is kept -------------------------------------------------------------

    @property
    def state(self) -> Path:
        return self.home / ".local" / "state" / "latchkey-atproto"

    def sessions(self) -> tuple[OAuthSession, ...]:
        return FileSessionStore(self.state).all()

    def secrets(self) -> Iterator[str]:
        """Everything of the sessions and of the ways back that may not be shown."""
        for session in self.sessions():
            yield session.access_token
            yield session.refresh_token or session.access_token
            yield session.dpop_key.private_jwk()["d"]
        for url in self.way_back:
            pairs = parse_qsl(urlsplit(url).query)
            yield from (value for name, value in pairs if name in SECRET_PARAMETERS)
