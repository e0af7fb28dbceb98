"""The command `call`: one XRPC method of the account's PDS."""

from __future__ import annotations

import json
import re
from base64 import b64encode
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import click

from ..errors import ScopeMissing
from ..http.types import Response
from ..syntax.nsid import is_nsid
from .answers import judge
from .failures import ScopeNeeded, UsageError
from .invocation import Invocation
from .options import account_option, argument, command, option, timeout_option
from .payload import JSON_TYPE, build_payload

ANSWER_LIMIT: Final = 100_000_000
"""Bytes; about the size of the network's largest blobs."""

HEADER: Final = re.compile(r"(?P<name>[A-Za-z0-9-]+): ?(?P<value>[\x20-\x7e]*)")


def run(call: Invocation) -> None:
    """Call, and print the response."""
    options = call.options
    if not is_nsid(options.nsid):
        raise UsageError(f"{options.nsid!r} is not the name of a method (NSID)")
    if options.raw and options.json:
        raise UsageError("--raw and --json are two forms of the same answer")
    payload = build_payload(
        options.parameters,
        method=options.method,
        given=options.data,
        content_type=options.type,
        read_input=call.outside.stdin.buffer.read,
    )
    headers = _headers(options.header)
    if payload.content_type is not None:
        headers["Content-Type"] = payload.content_type
    session = call.session()
    live = call.client().restore(session.did, session.session_id)
    try:
        response = live.request(
            payload.method,
            f"/xrpc/{options.nsid}",
            params=payload.query,
            headers=headers,
            body=payload.body,
            deadline=call.deadline(options.timeout),
            limit=ANSWER_LIMIT,
        )
    except ValueError as error:
        raise UsageError(str(error)) from error
    except ScopeMissing as error:
        raise ScopeNeeded(error, session) from error
    _show(call, judge(response))


def _headers(given: Sequence[str]) -> dict[str, str]:
    headers = {}
    for text in given:
        parts = HEADER.fullmatch(text)
        if parts is None:
            raise UsageError(f"{text!r} is not NAME:VALUE")
        headers[parts["name"]] = parts["value"]
    return headers


def _show(call: Invocation, response: Response) -> None:
    screen, body = call.screen, response.body
    if call.options.output:
        _save(call, response)
    elif call.options.raw:
        screen.show_bytes(body)
    elif not body:
        screen.show({}, ["Done."])
    elif response.content_type == JSON_TYPE:
        document = response.json_object()
        text = json.dumps(document, indent=2, ensure_ascii=False)
        screen.show(document, [text])
    elif screen.as_json:
        encoded = b64encode(body).decode()
        screen.show({**_summary(response), "base64": encoded}, ())
    elif screen.stdout.isatty():
        raise UsageError(f"the answer is {response.content_type}: use --output FILE")
    else:
        screen.show_bytes(body)


def _save(call: Invocation, response: Response) -> None:
    path = Path(call.options.output)
    path.write_bytes(response.body)
    summary = {"file": str(path), **_summary(response)}
    call.screen.show(summary, [f"{len(response.body)} bytes are in {path}."])


def _summary(response: Response) -> dict[str, Any]:
    return {"content_type": response.content_type, "size": len(response.body)}


COMMANDS: Final = [
    command(
        "call",
        run,
        argument("nsid", metavar="NSID"),
        argument("parameters", metavar="[KEY=VALUE]...", nargs=-1),
        option(
            "-X",
            "--method",
            type=click.Choice(["GET", "POST"]),
            help="GET for queries, POST for procedures (POST if there is --data)",
        ),
        option(
            "--data", metavar="JSON|@FILE|@-", help="the body: JSON, a file, or stdin"
        ),
        option("--type", metavar="TYPE", help="the media type of the body"),
        option(
            "-H",
            "--header",
            multiple=True,
            metavar="NAME:VALUE",
            help="another header, atproto-proxy for example",
        ),
        option("--raw", is_flag=True, help="print the answer as it came"),
        option("--output", metavar="FILE", help="write the answer to a file"),
        account_option(),
        timeout_option(30.0, "how long the host may take"),
        summary="Call a method of the account's host",
    )
]
