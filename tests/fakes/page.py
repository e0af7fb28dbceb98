"""Reading a page the way a person does: its message, its forms, its buttons."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from html.parser import HTMLParser
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .browser import AtHost, Browser
    from .network import Answer

MENU = "/auth/language"
VOID = {"input", "meta", "link", "br", "hr", "img", "wbr", "source"}


@dataclass
class Form:
    """One form: where it goes and what it holds already."""

    action: str
    method: str
    fields: dict[str, str] = field(default_factory=dict)
    visible: set[str] = field(default_factory=set)
    buttons: list[tuple[str, str]] = field(default_factory=list)


class _Reader(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.forms: list[Form] = []
        self.links: list[str] = []
        self.main: dict[str, str | None] = {}
        self.text: list[str] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self._inside: Form | None = None
        self._silent = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        self.tags.append((tag, given))
        self._silent += tag in {"script", "style"}
        if tag == "main":
            self.main = given
        if tag == "a" and given.get("href"):
            self.links.append(given["href"] or "")
        if tag == "form":
            action, method = given.get("action") or "", given.get("method") or "get"
            self._inside = Form(action, method.lower())
            self.forms.append(self._inside)
        self._note_control(tag, given)

    def _note_control(self, tag: str, given: dict[str, str | None]) -> None:
        form, name = self._inside, given.get("name")
        if form is None or not name or "disabled" in given:
            return
        value = given.get("value") or ""
        if tag == "button" or given.get("type") == "submit":
            form.buttons.append((name, value))
        elif given.get("type") in {"checkbox", "radio"}:
            if "checked" in given:
                form.fields[name] = value or "on"
        elif tag in {"input", "textarea"}:
            form.fields[name] = value
            if given.get("type") != "hidden":
                form.visible.add(name)

    def handle_endtag(self, tag: str) -> None:
        self._silent -= tag in {"script", "style"}
        if tag == "form":
            self._inside = None

    def handle_data(self, data: str) -> None:
        if not self._silent:
            self.text.append(data)


@lru_cache(maxsize=500)
def _read(html: str) -> _Reader:
    """Parse a page; more than half of all pages are the same as earlier ones."""
    reader = _Reader()
    reader.feed(html)
    return reader


class Page:
    """What a browser shows after its last request."""

    def __init__(self, browser: Browser, url: str, answer: Answer) -> None:
        self.browser = browser
        self.url = url
        self.answer = answer
        self.status = answer.status
        self.headers = answer.headers
        self.html = answer.body.decode()

    @cached_property
    def _reader(self) -> _Reader:
        """The parsed page; most pages of a journey are passed without a look."""
        is_html = "html" in self.headers.get("Content-Type", "")
        return _read(self.html if is_html else "")

    @property
    def error(self) -> str | None:
        """The code of the message, if the page has one."""
        return self._reader.main.get("data-error")

    @property
    def text(self) -> str:
        return " ".join(" ".join(self._reader.text).split())

    @property
    def json(self) -> Any:
        return json.loads(self.html)

    @property
    def forms(self) -> list[Form]:
        """The forms, without the menu of languages that every page has."""
        return [form for form in self._reader.forms if form.action != MENU]

    @property
    def menu(self) -> Form:
        """The menu of languages."""
        (menu,) = (form for form in self._reader.forms if form.action == MENU)
        return menu

    @property
    def links(self) -> list[str]:
        return self._reader.links

    @property
    def tags(self) -> list[tuple[str, dict[str, str | None]]]:
        return self._reader.tags

    def form_with(self, name: str) -> Form:
        """Return the form in which a person can fill in a field of this name."""
        for form in self.forms:
            if name in form.visible:
                return form
        raise AssertionError(f"no form with {name!r} on {self.url}: {self.text}")

    def form_that_says(self, **fields: str) -> Form:
        """Return the form that is filled in already, such as a button alone."""
        for form in self.forms:
            if fields.items() <= {*form.fields.items(), *form.buttons}:
                return form
        raise AssertionError(f"no form says {fields} on {self.url}: {self.text}")

    def presses(self, **fields: str) -> Page | AtHost:
        """Press the button of a form that is filled in already."""
        form = self.form_that_says(**fields)
        return self.submits(form, **{**dict(form.buttons), **fields})

    @property
    def policy(self) -> dict[str, list[str]]:
        """The Content-Security-Policy, by directive."""
        directives = self.headers.get("Content-Security-Policy", "").split(";")
        words = [directive.split() for directive in directives if directive.strip()]
        return {first: rest for first, *rest in words}

    def lets_forms_lead_to(self, url: str) -> bool:
        """Tell whether `form-action` allows a redirect there (as Chromium asks)."""
        allowed = self.policy.get("form-action", ["*"])
        scheme, origin = url.split(":", maxsplit=1)[0], "/".join(url.split("/")[:3])
        return bool({"*", f"{scheme}:", origin} & set(allowed))

    def submits(self, form: Form, **fields: str) -> Page | AtHost:
        """Fill in a form and send it."""
        return self.browser.submits(self, form, fields)

    def types(self, identifier: str) -> AtHost:
        """Enter an identifier, and arrive at one's own host."""
        arrived = self.tries(identifier)
        assert not isinstance(arrived, Page), (arrived.status, arrived.error)
        return arrived

    def tries(self, identifier: str, **fields: str) -> Page | AtHost:
        """Enter an identifier, wherever that leads."""
        form = self.form_with("identifier")
        return self.submits(form, identifier=identifier, **fields)

    def chooses(self, username: str) -> Page:
        """Pick a username on the sign-up page."""
        arrived = self.submits(self.form_with("username"), username=username)
        assert isinstance(arrived, Page)
        return arrived
