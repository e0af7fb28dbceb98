"""The command `discover`: account, PDS and authorization server, without sign-in."""

from __future__ import annotations

from typing import Final

from ..discovery.accounts import AccountLocation
from ..discovery.servers import ServerLocation
from ..errors import AtprotoError, HandleNotFound
from ..http.types import Deadline
from ..syntax.grammar import Origin
from ..syntax.identifier import Identifier, ServerIdentifier
from .invocation import Invocation
from .options import argument, command, timeout_option
from .screen import table


def run(call: Invocation) -> None:
    """Discover, and print the validated documents."""
    identifier = call.identify(call.options.identifier)
    found = _discovered(call, identifier, call.deadline(call.options.timeout))
    server = found.server.document()
    document = {
        "did": found.did,
        "handle": found.handle,
        "pds": found.pds,
        "protected_resource": found.resource
        and {
            "resource": found.resource.resource,
            "authorization_servers": [found.resource.authorization_server],
        },
        "authorization_server": server,
    }
    rows = {"DID": found.did, "handle": found.handle, "PDS": found.pds}
    lists = {n: " ".join(v) for n, v in server.items() if isinstance(v, tuple)}
    lines = table({**rows, **server, **lists})
    call.screen.show(document, lines)


def _discovered(
    call: Invocation, identifier: Identifier, deadline: Deadline
) -> AccountLocation | ServerLocation:
    """Discover; a name that is no handle is tried as a host name."""
    try:
        return call.discovery.discover(identifier, deadline=deadline)
    except HandleNotFound as no_handle:
        host = ServerIdentifier(value=Origin(f"https://{identifier.value}"))
        try:
            return call.discovery.discover(host, deadline=deadline)
        except AtprotoError:
            raise no_handle from None


COMMANDS: Final = [
    command(
        "discover",
        run,
        argument("identifier", metavar="HANDLE|DID|HOST"),
        timeout_option(30.0, "how long all hosts together may take"),
        summary="Show where a handle, a DID or a host leads",
    )
]
