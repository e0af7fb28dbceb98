"""Permissions in the words of the people who are asked for them (requirement 8.10).

The host asks again in words of its own, and decides; these say beforehand what the
platform wants. Permissions that we do not know are shown as they are written. Pure.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Final

from app.atproto.scopes.permission import Permission
from app.atproto.scopes.scope import (
    ATPROTO,
    TRANSITION_CHAT,
    TRANSITION_EMAIL,
    TRANSITION_GENERIC,
    ScopeSet,
)

COARSE: Final[Mapping[str, str]] = {
    TRANSITION_GENERIC: "do nearly everything that you can do with your account",
    TRANSITION_CHAT: "read and send your direct messages",
    TRANSITION_EMAIL: "see your e-mail address",
}
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


def _phrases(scope: ScopeSet) -> Iterator[str]:
    for word in scope.words:
        if word != ATPROTO:
            yield COARSE.get(word, f"use the permission {word}")
    for permission in scope.permissions:
        yield SAID[permission.resource](permission)


def _repo(permission: Permission) -> str:
    verbs = _listed([said for act, said in VERBS.items() if act in permission.details])
    if "*" in permission.subjects:
        return f"{verbs} public records of any kind"
    return f"{verbs} your public records of {_listed(permission.subjects)}"


def _rpc(permission: Permission) -> str:
    methods = "everything" if "*" in permission.subjects else permission.subjects
    what = methods if isinstance(methods, str) else _listed(methods)
    (service,) = permission.details
    where = "any service" if service == "*" else service
    return f"use {what} of {where} in your name"


def _blob(permission: Permission) -> str:
    if "*/*" in permission.subjects:
        return "upload files of any kind"
    return f"upload {_listed([_files(kind) for kind in permission.subjects])}"


def _files(kind: str) -> str:
    """Return the files of a media type or of a range such as `image/*`."""
    return FILES.get(kind, f"files of type {kind.removesuffix('/*')}")


def _account(permission: Permission) -> str:
    said = [ACCOUNT[s, d] for s in permission.subjects for d in permission.details]
    return _listed(said)


def _identity(permission: Permission) -> str:
    if "*" in permission.subjects:
        return "change your handle and where your account lives"
    return "change your handle"


def _include(permission: Permission) -> str:
    return f"do what {_listed(permission.subjects)} stands for"


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
    """Write `a`, `a and b`, `a, b and c`."""
    *others, last = items
    return f"{', '.join(others)} and {last}" if others else last
