"""A person at one browser: what they type, press and see on our pages."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit

from playwright.sync_api import BrowserContext, Page, Response

from tests.e2e import host
from tests.lab.network import Account

PLATFORM_TOKEN = "platform_token"
NO_SECRETS = ("latchkey-accounts", "latchkey-language")
SECRET_PARAMETERS = {"code", "state"}

ASK_WHO_I_AM = "async () => await (await fetch('/auth/session')).json()"
BEGIN_A_LOGIN = """async (identifier) => {
    const body = new URLSearchParams({ identifier })
    await fetch('/auth/login', { method: 'POST', body, redirect: 'manual' })
}"""
SEND = """([action, fields]) => {
    const form = document.createElement('form')
    form.action = action
    form.method = Object.keys(fields).length ? 'post' : 'get'
    for (const [name, value] of Object.entries(fields)) {
        form.append(Object.assign(document.createElement('input'), { name, value }))
    }
    document.body.append(form)
    form.submit()
}"""


@dataclass
class Visitor:
    """One browser profile, and the traffic that it has seen."""

    context: BrowserContext
    page: Page
    service_url: str
    host_url: str
    responses: list[Response] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.page.on("response", self._note)

    def _note(self, response: Response) -> None:
        self.responses.append(response)

    # --- what they do -----------------------------------------------------------

    def open(self, path: str) -> Response | None:
        """Open a page of ours."""
        return self.page.goto(self.service_url + path)

    def open_login(self, **query: str) -> Response | None:
        """Open the sign-in page."""
        return self.open("/auth/login" + (f"?{urlencode(query)}" if query else ""))

    def identify_as(self, identifier: str) -> None:
        """Type an identifier and press Sign in."""
        self.page.fill("input#identifier", identifier)
        self.press("Sign in")
        self.page.wait_for_load_state()

    def begin_without_following(self, identifier: str) -> str:
        """Begin a login and return the host's address instead of going there."""
        self.open_login()
        with self.page.expect_response(f"{self.service_url}/auth/login") as answered:
            self.page.evaluate(BEGIN_A_LOGIN, identifier)
        return answered.value.header_value("location") or ""

    def approve(self, account: Account) -> None:
        """Sign in and say yes at the host, and come back."""
        host.sign_in(self.page, account)
        host.authorize(self.page)
        self.come_back()

    def come_back(self) -> None:
        """Wait until the browser has left the host."""
        self.page.wait_for_url(lambda url: not url.startswith(self.host_url))
        self.page.wait_for_load_state()

    def sign_in(self, account: Account, **query: str) -> None:
        """Sign in with a handle, up to the page that follows the callback."""
        self.open_login(**query)
        self.identify_as(account.handle)
        self.approve(account)

    def choose_username(self, username: str) -> None:
        """Fill in the sign-up page."""
        self.page.fill("input#username", username)
        self.page.get_by_role("button", name="Create my account on").click()
        self.page.wait_for_load_state()

    def become(self, account: Account, username: str) -> None:
        """Sign in for the first time."""
        self.sign_in(account)
        self.choose_username(username)

    def sign_out(self, *, keep: bool = False) -> None:
        """Press Sign out on the account page; `keep` remembers the account here."""
        self.open("/auth/account")
        if keep:
            self.page.check("input[name=keep]")
        self.press("Sign out")
        self.page.wait_for_load_state()

    def be_sent_from_another_site(self, path: str, **form: str) -> None:
        """Follow another site's link to us; with fields, let its form be sent."""
        self.page.goto(f"{self.host_url}/xrpc/_health")
        with self.page.expect_navigation():
            self.page.evaluate(SEND, [self.service_url + path, form])

    def press(self, name: str) -> None:
        """Press the button with exactly this name."""
        self.page.get_by_role("button", name=name, exact=True).click()

    # --- what they see ----------------------------------------------------------

    @property
    def heading(self) -> str:
        """The page's one heading of the first level."""
        return self.page.locator("h1").inner_text()

    @property
    def error(self) -> str | None:
        """The error code that the page carries, if any."""
        return self.page.locator("main").get_attribute("data-error")

    @property
    def path(self) -> str:
        """The path of the page that is shown."""
        return urlsplit(self.page.url).path

    @property
    def token(self) -> str | None:
        """The platform token that the browser holds."""
        return self.cookies().get(PLATFORM_TOKEN)

    def cookies(self) -> dict[str, str]:
        """The cookies that the service receives: name and value."""
        return {c["name"]: c["value"] for c in self.context.cookies(self.service_url)}

    def whoami(self) -> dict[str, Any]:
        """Ask the service, from the page that is shown, who it thinks this is."""
        answer: dict[str, Any] = self.page.evaluate(ASK_WHO_I_AM)
        return answer

    def secrets(self) -> Iterator[str]:
        """Every secret of a sign-in that has passed through this browser."""
        for response in self.responses:
            if not response.url.startswith(self.service_url):
                continue
            if not response.url.startswith(f"{self.service_url}/oauth/"):
                yield from _parameters(response.url, SECRET_PARAMETERS)
            for header in response.headers_array():
                name = header["name"].lower()
                if name == "set-cookie":
                    yield from _cookie_secret(header["value"])
                elif name == "location":  # the state there is the app's own
                    yield from _parameters(header["value"], {"code"})


def _parameters(url: str, names: set[str]) -> Iterator[str]:
    yield from (v for name, v in parse_qsl(urlsplit(url).query) if name in names)


def _cookie_secret(header: str) -> Iterator[str]:
    """Yield the value of a Set-Cookie header, unless it is cleared or no secret."""
    name, _, value = header.partition(";")[0].partition("=")
    if value and not name.endswith(NO_SECRETS):
        yield value
