"""Permissions in the words of the people who are asked for them (requirement 8.10).

The host asks again in words of its own, and decides; these say beforehand what the
platform wants. Permissions that we do not know are shown as they are written.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Final

from babel.lists import format_list

from app.atproto.scopes.permission import Permission
from app.atproto.scopes.scope import (
    ATPROTO,
    TRANSITION_CHAT,
    TRANSITION_EMAIL,
    TRANSITION_GENERIC,
    ScopeSet,
)
from app.web.languages.catalogues import locale_of
from app.web.languages.choice import gettext as _
from app.web.languages.choice import language

COARSE: Final[Mapping[str, str]] = {
    TRANSITION_GENERIC: "do nearly everything that you can do with your account",
    TRANSITION_CHAT: "read and send your direct messages",
    TRANSITION_EMAIL: "see your e-mail address",
}
WORD: Final = "use the permission %(permission)s"
VERBS: Final[Mapping[str, str]] = {
    "create": "add",
    "update": "change",
    "delete": "delete",
}
FILES: Final[Mapping[str, str]] = {
    "image/*": "images",
    "video/*": "videos",
    "audio/*": "audio files",
    "text/*": "text files",
}
ACCOUNT: Final[Mapping[tuple[str, str], str]] = {
    ("email", "read"): "see your e-mail address",
    ("email", "manage"): "see and change your e-mail address",
    ("repo", "read"): "see how your account is stored at its host",
    ("repo", "manage"): "replace all of your data, as when an account moves",
}


def in_words(scope: str) -> list[str]:
    """Return what a scope allows, each a phrase that follows "may"."""
    given = ScopeSet.parse(scope) if scope else None
    return list(dict.fromkeys(_phrases(given))) if given else []


def word_by_word(scope: str) -> list[dict[str, str]]:
    """Return each permission of a scope as it is written, and its phrase.

    `atproto` is none: it only says who the person is.
    """
    words = [word for word in scope.split() if word != ATPROTO]
    return [{"word": word, "phrase": "; ".join(in_words(word))} for word in words]


def _phrases(scope: ScopeSet) -> Iterator[str]:
    for word in scope.words:
        if word != ATPROTO:
            yield _(COARSE[word]) if word in COARSE else _(WORD, permission=word)
    for permission in scope.permissions:
        yield SAID[permission.resource](permission)


def _repo(permission: Permission) -> str:
    acts = [_(said) for act, said in VERBS.items() if act in permission.details]
    verbs = _listed(acts)
    if "*" in permission.subjects:
        return _("%(verbs)s public records of any kind", verbs=verbs)
    kinds = _listed(permission.subjects)
    return _("%(verbs)s your public records of %(kinds)s", verbs=verbs, kinds=kinds)


def _rpc(permission: Permission) -> str:
    is_all = "*" in permission.subjects
    what = _("everything") if is_all else _listed(permission.subjects)
    (service,) = permission.details
    where = _("any service") if service == "*" else service
    return _("use %(what)s of %(service)s in your name", what=what, service=where)


def _blob(permission: Permission) -> str:
    if "*/*" in permission.subjects:
        return _("upload files of any kind")
    files = _listed([_files(kind) for kind in permission.subjects])
    return _("upload %(files)s", files=files)


def _files(kind: str) -> str:
    """Return the files of a media type or of a range such as `image/*`."""
    if kind in FILES:
        return _(FILES[kind])
    return _("files of type %(kind)s", kind=kind.removesuffix("/*"))


def _account(permission: Permission) -> str:
    said = [_(ACCOUNT[s, d]) for s in permission.subjects for d in permission.details]
    return _listed(said)


def _identity(permission: Permission) -> str:
    if "*" in permission.subjects:
        return _("change your handle and where your account lives")
    return _("change your handle")


def _include(permission: Permission) -> str:
    return _("do what %(sets)s stands for", sets=_listed(permission.subjects))


SAID: Final[Mapping[str, Callable[[Permission], str]]] = {
    "repo": _repo,
    "rpc": _rpc,
    "blob": _blob,
    "account": _account,
    "identity": _identity,
    "include": _include,
}
"""By resource (requirement 8.3); a test holds it to the library's list."""


def _listed(items: list[str] | tuple[str, ...]) -> str:
    """Write `a`, `a and b`, `a, b and c`, as the language of the page does."""
    return format_list(list(items), locale=locale_of(language()))
