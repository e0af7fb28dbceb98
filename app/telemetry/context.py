"""Log context: request_id, login_id, did and sid of the request under way.

A context variable holds one mutable record per request, so that what a thread binds in
a copy of the context is seen by the request that waits for it. gevent and asyncio give
each greenlet and each task a context of its own. Outside of a request, `bind` does
nothing.
"""

from __future__ import annotations

import os
import re
import secrets
from contextvars import ContextVar, Token
from dataclasses import dataclass
from typing import Final

from app.atproto.crypto.encoding import sha256_hex

ACCESS: Final = "app.access"
"""The logger of the line of each request; off with LOG_ACCESS."""

ID_LENGTH: Final = 16
"""Hexadecimal digits of a login_id, and of a request_id that we make: 64 bits."""

IDS_AT_ONCE: Final = 256
"""Request ids for which the kernel is asked once: asking takes as long as a lookup."""

_ids: list[str] = []
os.register_at_fork(after_in_child=_ids.clear)  # or two processes give the same ones

_REQUEST_ID = re.compile(r"[A-Za-z0-9._:-]{8,64}")
"""What is taken from X-Request-Id: no character that a log or a header treats."""


@dataclass(slots=True)
class LogContext:
    """What every log record of one request has; empty where there is none."""

    request_id: str = ""
    login_id: str = ""
    did: str = ""
    sid: str = ""

    route: str = ""
    """Template of the route, such as `/auth/xrpc/<nsid>`."""
    path: str = ""
    """The route, or the quoted path that has none: for the request's line."""
    code: str = ""
    """Code of the failure that was answered, for the request's line."""
    is_quiet: bool = False
    """Whether the request's line is logged at debug, because a machine asks often."""


_current: ContextVar[LogContext | None] = ContextVar("log context", default=None)


def current() -> LogContext | None:
    """Return the record of the request under way, None outside of a request."""
    return _current.get()


class Entered:
    """Makes a record the current one inside a block; a generator would be slower."""

    __slots__ = ("_record", "_token")

    def __init__(self, record: LogContext) -> None:
        self._record = record
        self._token: Token[LogContext | None] | None = None

    def __enter__(self) -> LogContext:
        self._token = _current.set(self._record)
        return self._record

    def __exit__(self, *_error: object) -> None:
        if self._token is not None:
            _current.reset(self._token)


def begin(given_id: str | None) -> LogContext:
    """Return the record of a new request.

    `given_id` is what X-Request-Id says; a proxy's id joins its log with ours. Anything
    but 8 to 64 letters, digits and `._:-` is replaced by an id of our own.
    """
    if given_id is not None and _REQUEST_ID.fullmatch(given_id):
        return LogContext(given_id)
    return LogContext(_new_id())


def _new_id() -> str:
    """Return a new id; the kernel is asked once for many of them."""
    try:
        return _ids.pop()
    except IndexError:
        digits = secrets.token_hex(IDS_AT_ONCE * ID_LENGTH // 2)
        first, *others = map("".join, zip(*[iter(digits)] * ID_LENGTH, strict=True))
        _ids.extend(others)
        return first


def bind(*, login_id: str = "", did: str = "", sid: str = "") -> None:
    """Add what is known by now to each later log record of this request."""
    record = _current.get()
    if record is None:
        return
    if login_id:
        record.login_id = login_id
    if did:
        record.did = did
    if sid:
        record.sid = sid


def note_code(code: str) -> None:
    """Note the code of the failure that is answered."""
    record = _current.get()
    if record is not None:
        record.code = code


def login_id_here() -> str:
    """Return the login_id of the request under way, or ""."""
    record = _current.get()
    return record.login_id if record else ""


def bind_login(secret: str | None) -> None:
    """Bind the login of a flow secret; nothing without one."""
    if secret:
        bind(login_id=login_id_of(secret))


def login_id_of(secret: str) -> str:
    """Return the login_id of a flow secret, the same on every node.

    The beginning of the SHA-256 that the database has as well. The secret has 256
    random bits, so the login_id leads to no secret and is none itself.
    """
    return login_id_of_hash(sha256_hex(secret))


def login_id_of_hash(secret_hash: str) -> str:
    """Return the login_id of the flow secret with this SHA-256."""
    return secret_hash[:ID_LENGTH]


def is_quiet() -> bool:
    """Tell whether machines ask this request's route all the time."""
    record = _current.get()
    return record is not None and record.is_quiet


def reference() -> str:
    """Return what a person quotes: the login_id, else the request_id, else a new id."""
    record = _current.get() or LogContext()
    return record.login_id or record.request_id or secrets.token_hex(ID_LENGTH // 2)
