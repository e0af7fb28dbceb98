"""Reads a page strictly: what a browser would forgive is an error here."""

from __future__ import annotations

from dataclasses import dataclass, field
from html.parser import HTMLParser

VOID = {"br", "hr", "img", "input", "link", "meta"}


class Malformed(Exception):
    """Markup that a browser has to repair."""


@dataclass
class Element:
    tag: str
    attributes: dict[str, str]
    text: str = ""


@dataclass
class Form:
    action: str
    method: str
    fields: dict[str, str] = field(default_factory=dict)
    button: str = ""


class Page(HTMLParser):
    """The elements of a page, its forms as a browser would send them, and its ids."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.elements: list[Element] = []
        self.forms: list[Form] = []
        self.ids: set[str] = set()
        self._open: list[Element] = []
        self.feed(html)
        self.close()
        if self._open:
            raise Malformed(f"<{self._open[-1].tag}> is never closed")

    def all(self, tag: str) -> list[Element]:
        return [element for element in self.elements if element.tag == tag]

    def one(self, tag: str) -> Element:
        (element,) = self.all(tag)
        return element

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        names = [name for name, _ in attrs]
        if len(names) != len(set(names)):
            raise Malformed(f"<{tag}> repeats an attribute")
        element = Element(tag, {name: value or "" for name, value in attrs})
        self._note_id(element.attributes.get("id"))
        self.elements.append(element)
        self._note_form(element)
        if tag not in VOID:
            self._open.append(element)

    def handle_endtag(self, tag: str) -> None:
        if tag in VOID or not self._open or self._open[-1].tag != tag:
            raise Malformed(f"</{tag}> closes nothing")
        closed = self._open.pop()
        if tag == "button" and self._open_form():
            name = closed.attributes.get("aria-label", closed.text)
            self.forms[-1].button = " ".join(name.split())

    def handle_data(self, data: str) -> None:
        for element in self._open:
            element.text += data

    def _note_id(self, name: str | None) -> None:
        if name in self.ids:
            raise Malformed(f"two elements are called {name!r}")
        if name is not None:
            self.ids.add(name)

    def _note_form(self, element: Element) -> None:
        if any(outer.tag == "footer" for outer in self._open):
            return  # the menu of languages is on every page
        attributes = element.attributes
        if element.tag == "form":
            if self._open_form():
                raise Malformed("a form within a form")
            self.forms.append(Form(attributes["action"], attributes["method"]))
        elif element.tag == "input" and self._open_form():
            name = attributes["name"]
            if name in self.forms[-1].fields:
                raise Malformed(f"a form sends {name!r} twice")
            self.forms[-1].fields[name] = attributes.get("value", "")

    def _open_form(self) -> bool:
        outer = [element.tag for element in self._open]
        return "form" in outer and "footer" not in outer
