"""GET and POST /auth/xrpc/NSID: a call on the visitor's PDS, for a service.

What goes to the PDS and what comes back is listed here, header by header: cookies,
tokens and challenges pass in neither direction, and no answer of a PDS is rendered as a
document of our origin.
"""

from __future__ import annotations

import re
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from urllib.parse import urlencode

from flask import Blueprint, Response, g, request
from werkzeug.exceptions import RequestEntityTooLarge
from werkzeug.wsgi import FileWrapper

from app.atproto.errors import ScopeMissing, SessionEnded, printable
from app.atproto.http.types import Upload
from app.failures import Failure
from app.flows.errors import CallMalformed, CallTooLarge
from app.flows.limits.networks import network_of
from app.flows.xrpc.allow_list import JSON, Call
from app.flows.xrpc.call import Answer, PdsCall
from app.flows.xrpc.spool import IN_MEMORY
from app.web import cookies
from app.web.context import flows, site
from app.web.errors import adds_to_failure
from app.web.security import cors
from app.web.security.access import access
from app.web.security.sharing import answer_preflights

bp = Blueprint("xrpc", __name__)

PATH = "/auth/xrpc/<nsid>"
SOURCE = "Latchkey-Source"
"""`pds` on what the PDS said, its errors too; absent from what we say ourselves."""

TO_PDS = ("Accept-Language", "Atproto-Accept-Labelers")
FROM_PDS = (
    "RateLimit-Limit",
    "RateLimit-Remaining",
    "RateLimit-Reset",
    "RateLimit-Policy",
    "Retry-After",
    "Atproto-Repo-Rev",
    "Atproto-Content-Labelers",
    "Content-Language",
)
EXPOSED = ", ".join((*FROM_PDS, SOURCE))

LONGEST_VALUE = 4096
"""Characters of a header that come back: labelers are a list of DIDs."""

NO_DOCUMENT = {
    "Content-Security-Policy": "default-src 'none'; sandbox; frame-ancestors 'none'",
    "Cross-Origin-Resource-Policy": "same-site",
}

CHUNK = 64 * 1024
PART = 4096
"""Bytes of a body that are read at once: reading one-byte chunks takes CPU time."""

_ACTIVE = re.compile(r"script|/css$")
"""Scripts and style sheets: pages of our origin would run or apply them."""

_MEDIA_TYPE = re.compile(r"[a-z0-9!#$&^_.+-]{1,127}/[a-z0-9!#$&^_.+-]{1,127}")


def error_links(failure: Failure) -> dict[str, str]:
    """Return what helps after a failure: where to sign in, and what to ask for."""
    running = _running()
    if running is None:
        return {}
    query = {"identifier": running.session.did}
    if isinstance(failure.error, SessionEnded):
        # With a prompt, a person who is signed in here is not sent straight back
        # (requirement 7.18).
        return {"login_url": _login_url({"prompt": "login", **query})}
    if isinstance(failure.error, ScopeMissing):
        scope = " ".join(running.admitted.needs) or failure.error.scope
        upgrade = {"scope": scope, **query} if scope else query
        return {"scope": scope, "login_url": _login_url(upgrade)}
    return {}


@bp.route(PATH, methods=["GET", "POST"], provide_automatic_options=False)
@adds_to_failure(error_links)
@access("call")
def call(nsid: str) -> Response:
    """Make the call and pass on the answer."""
    who = flows().call_pds.authenticate(
        cookies.presented_tokens(),
        network=network_of(request.remote_addr or ""),
    )
    running = flows().call_pds.begin(
        who.session, _call(nsid), caller=cors.caller() or ""
    )
    g.pds_call = running
    with running, _body(running.most_bytes) as body:
        answer = running.send(body, _headers_for_pds())
    return _answered(answer)


answer_preflights(bp, PATH)


@bp.after_request
def finish(response: Response) -> Response:
    """Let the page read the answer, and record the call in the audit trail."""
    cors.allow(response, exposed=EXPOSED)
    if (running := _running()) is not None:
        running.record(response.status_code, g.get("failure_code", ""))
    return response


def _running() -> PdsCall | None:
    """Return the call of this request, None before the caller is known."""
    running: PdsCall | None = g.get("pds_call")
    return running


# --- to the PDS -----------------------------------------------------------------------


def _call(nsid: str) -> Call:
    return Call(
        verb="POST" if request.method == "POST" else "GET",
        nsid=nsid,
        params=tuple(request.args.items(multi=True)),
        media_type=request.mimetype,
        service=request.headers.get("Atproto-Proxy") or None,
    )


def _headers_for_pds() -> dict[str, str]:
    given = {name: request.headers[name] for name in TO_PDS if name in request.headers}
    if not all(value.isascii() and value.isprintable() for value in given.values()):
        raise CallMalformed("a header of it is no plain text")
    if _MEDIA_TYPE.fullmatch(request.mimetype):
        given["Content-Type"] = request.mimetype
    return given


@contextmanager
def _body(limit: int) -> Iterator[Upload | None]:
    """Read the caller's body, up to a limit of its own, into a file.

    The limit of forms (MAX_CONTENT_LENGTH) stays what it is for every other route.
    """
    if request.method != "POST":
        yield None
        return
    if request.headers.get("Content-Encoding", "identity").lower() != "identity":
        raise CallMalformed("its body is compressed")
    request.max_content_length = limit
    with flows().call_pds.spool.open() as file:
        try:
            for part in iter(partial(request.stream.read, PART), b""):
                file.write(part)
                time.sleep(0)  # other greenlets' turn: chunks may have one byte each
        except RequestEntityTooLarge as error:
            raise CallTooLarge(limit) from error
        yield Upload(file, file.tell()) if file.tell() else None


# --- and back -------------------------------------------------------------------------


def _answered(answer: Answer) -> Response:
    """Pass on an answer: its status, its body, and headers that do no harm."""
    response = Response(status=answer.status, headers=NO_DOCUMENT)
    size = answer.file.seek(0, 2)
    answer.file.seek(0)
    if size > IN_MEMORY:
        response.response = FileWrapper(answer.file, CHUNK)
        response.content_length = size
        response.call_on_close(answer.close)
    else:
        response.set_data(answer.body or answer.file.read())
        answer.close()
    _describe(response, answer.headers)
    return response


def _describe(response: Response, headers: Mapping[str, str]) -> None:
    """Set the headers of an answer; what is not JSON is a file to download.

    `nosniff` keeps browsers from running it as a script all the same.
    """
    named = headers.get("Content-Type", "").partition(";")[0].strip().lower()
    is_plain = _MEDIA_TYPE.fullmatch(named) and not _ACTIVE.search(named)
    media_type = named if is_plain else "application/octet-stream"
    response.headers["Content-Type"] = media_type
    if media_type != JSON:
        response.headers["Content-Disposition"] = "attachment"
    for name in FROM_PDS:
        if (value := headers.get(name)) is not None:
            response.headers[name] = printable(value, limit=LONGEST_VALUE)
    response.headers[SOURCE] = "pds"


def _login_url(query: Mapping[str, str]) -> str:
    return f"{site().public_url}/auth/login?{urlencode(query)}"
