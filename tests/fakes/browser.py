"""A browser without a screen: cookies, the headers that browsers add, and redirects.

`browser.opens_login().types("alice.skyhost.social").approves()` is a whole sign-in. The
person's decisions at their host are made on the fake server's own pages.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, urlencode, urljoin, urlsplit

from requests.structures import CaseInsensitiveDict

from .consent import ConsentPage, DeadEnd, SentBack
from .cookies import CookieJar
from .network import Answer, Sent
from .page import Page

if TYPE_CHECKING:
    from collections.abc import Mapping

    from .page import Form
    from .world import World

BROWSER = "a browser"
FIREFOX = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"
REDIRECTS = {301, 302, 303, 307, 308}
FETCH_METADATA = {"Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "document"}
NEAR = {"none": 0, "same-origin": 1, "same-site": 2, "cross-site": 3}


@dataclass
class AtHost:
    """The person's own host shows its page; what is decided there leads back."""

    browser: Browser
    url: str
    page: ConsentPage

    def approves(self, account: str | None = None) -> Page:
        """Allow, as the hinted account or another."""
        return self.browser.is_sent_back(self.page.approves(account))

    def denies(self) -> Page:
        """Say no."""
        return self.browser.is_sent_back(self.page.denies())

    def signs_up(self, handle: str) -> Page:
        """Make an account, and allow."""
        return self.browser.is_sent_back(self.page.signs_up(handle))

    def meets(self, error: str, description: str = "") -> Page:
        """Be sent back with an error."""
        return self.browser.is_sent_back(self.page.sends_back(error, description))

    def answer(self, account: str | None = None) -> str:
        """Allow, and return the callback URL without going there."""
        return self.page.approves(account).url


class Browser:
    """One browser of one person, with cookies of its own."""

    def __init__(
        self,
        world: World,
        home: str,
        *,
        address: str = "198.51.100.7",
        fetch_metadata: bool = True,
    ) -> None:
        self.world = world
        self.home = home
        self.address = address
        self.fetch_metadata = fetch_metadata
        """False: a browser too old for Sec-Fetch-Site."""
        self.jar = CookieJar(world.clock)
        self.device = secrets.token_hex(8)
        self.trail: list[str] = []
        """Every URL that was visited, in order."""

    # --- what a person does -------------------------------------------------------

    def opens_login(self, **query: str) -> Page:
        """Open the sign-in page."""
        return self.visits("/auth/login?" + urlencode(query))

    def visits(self, url: str, *, site: str = "none", **options: Any) -> Page:
        """Go to a URL, ours or another, and follow where it leads."""
        arrived = self.navigates("GET", urljoin(self.home, url), site=site, **options)
        assert isinstance(arrived, Page), arrived.url
        return arrived

    def signs_in(
        self, identifier: str, *, username: str | None = None, **query: str
    ) -> Page:
        """Sign in from start to end; with a username when it is the first time."""
        page = self.opens_login(**query).types(identifier).approves()
        return page.chooses(username) if username else page

    def signs_out(self) -> Page:
        """Press the button that signs out."""
        arrived = self.posts("/auth/logout", {})
        assert isinstance(arrived, Page)
        return arrived

    def is_signed_in(self) -> bool:
        """Tell whether the service knows who this is."""
        return self.visits("/auth/session", accept="application/json").status == 200

    # --- forms --------------------------------------------------------------------

    def submits(
        self, page: Page, form: Form, fields: Mapping[str, str]
    ) -> Page | AtHost:
        """Send a form as browsers do.

        The page's Referrer-Policy decides about the Origin header (Fetch §3.2), and its
        `form-action` holds for the redirects that follow as well.
        """
        assert form.method == "post", form
        policy = page.headers.get("Referrer-Policy", "")
        origin = "null" if policy == "no-referrer" else None
        arrived = self.posts(
            urljoin(page.url, form.action), {**form.fields, **fields}, origin=origin
        )
        if not arrived.url.startswith(f"{self.home}/"):
            assert page.lets_forms_lead_to(arrived.url), f"blocked: {arrived.url}"
        return arrived

    def posts(
        self,
        url: str,
        fields: Mapping[str, str],
        *,
        origin: str | None = None,
        site: str = "same-origin",
        **options: Any,
    ) -> Page | AtHost:
        """POST a form as a page of `origin` would; as one of ours unless said."""
        headers = {
            "Content-Type": "application/x-www-form-urlencoded",
            "Origin": origin or self.home,
        }
        body = urlencode(fields).encode()
        url = urljoin(self.home, url)
        return self.navigates(
            "POST", url, site=site, body=body, headers=headers, **options
        )

    # --- the wire -----------------------------------------------------------------

    def navigates(
        self,
        method: str,
        url: str,
        *,
        site: str,
        body: bytes = b"",
        headers: Mapping[str, str] | None = None,
        accept: str = "text/html",
    ) -> Page | AtHost:
        """Make one request and follow redirects; stop at a foreign place."""
        for _ in range(10):
            answer = self.requests(
                method, url, site=site, body=body, headers=headers, accept=accept
            )
            location = answer.headers.get("Location")
            if answer.status not in REDIRECTS or location is None:
                return Page(self, url, answer)
            assert method == "GET" or answer.status in {302, 303}, answer.status
            method, body, headers = "GET", b"", None
            url = urljoin(url, location)
            if (foreign := self._foreign(url)) is not None:
                return foreign
        raise AssertionError(f"redirected without end: {self.trail[-10:]}")

    def requests(
        self,
        method: str,
        url: str,
        *,
        site: str = "none",
        body: bytes = b"",
        headers: Mapping[str, str] | None = None,
        accept: str = "text/html",
    ) -> Answer:
        """Make one request, and follow nothing."""
        self.trail.append(url)
        cross = NEAR[site] > NEAR["same-site"]
        cookie = self.jar.header(url, method=method, cross_site=cross)
        sent = CaseInsensitiveDict({"Accept": accept, "User-Agent": FIREFOX})
        if self.fetch_metadata:
            sent.update({**FETCH_METADATA, "Sec-Fetch-Site": site})
        if cookie:
            sent["Cookie"] = cookie
        sent.update(headers or {})
        request = Sent(method, url, sent, body, BROWSER, self.address)
        answer = self.world.network.deliver(request, timeout=10.0)
        self.jar.receive(url, answer.headers.getlist("Set-Cookie"))
        return answer

    def is_sent_back(self, sent_back: SentBack) -> Page:
        """Follow a host's redirect to us: a navigation from another site."""
        return self.visits(sent_back.url, site="cross-site")

    def _foreign(self, url: str) -> Page | AtHost | None:
        """Return what a foreign place shows; None when the URL is ours."""
        host = urlsplit(url).netloc
        if host == urlsplit(self.home).netloc:
            return None
        self.trail.append(url)
        server = self.world.servers.get(host)
        if server is None:
            return Page(self, url, Answer())
        page = server.open(url, device=self.device)
        assert not isinstance(page, DeadEnd), f"{host} shows: {page.reason}"
        if isinstance(page, SentBack):
            return self.is_sent_back(page)
        return AtHost(self, url, page)


def query_of(url: str) -> dict[str, str]:
    """Return the query of a URL."""
    return dict(parse_qsl(urlsplit(url).query, keep_blank_values=True))
