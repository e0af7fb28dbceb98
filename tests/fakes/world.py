"""The world that the tests begin with: hosts, people, and their documents.

`skyhost.social` is an entryway: many accounts, the authorization server on another host
than the PDS. `rosies.garden` is what one person runs at home: one origin for both.
Every name is made up and public in form, because the client refuses reserved ones.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from .authorization_server import FakeAuthorizationServer
from .clock import FakeClock
from .directory import FakeDns, FakeHome, FakePlc, did_document
from .network import FakeNetwork
from .pds import FakePds

if TYPE_CHECKING:
    from collections.abc import Iterable

PLC = "plc.directory"
THE_SERVER = "the authorization server"
_BASE32 = "abcdefghijklmnopqrstuvwxyz234567"


@dataclass(frozen=True, slots=True)
class Person:
    """A person with an account."""

    handle: str
    did: str


@dataclass(slots=True)
class Host:
    """A place where accounts live: its PDS and the server that signs people in."""

    name: str
    pds: FakePds
    server: FakeAuthorizationServer


class World:
    """Everything outside of the client: network, names, hosts and people."""

    def __init__(self, clock: FakeClock | None = None) -> None:
        self.clock = clock or FakeClock()
        self.network = FakeNetwork(self.clock)
        self.dns = FakeDns()
        self.plc = FakePlc()
        self.handles: dict[str, str] = {}
        """Handle by DID, of everybody."""
        self.servers: dict[str, FakeAuthorizationServer] = {}
        """By host name: where a browser may be sent."""
        self.homes: dict[str, FakeHome] = {}
        self._shared: set[str] = set()
        self.network.serve(PLC, self.plc)
        self.skyhost = self.add_host("skyhost.social", server="as.skyhost.social")
        self.garden = self.add_host("rosies.garden")
        self.alice = self.settle("alice.skyhost.social", self.skyhost)
        self.bob = self.settle("bob.skyhost.social", self.skyhost)
        self.rosie = self.settle("rosies.garden", self.garden)

    # --- hosts --------------------------------------------------------------------

    def add_host(self, name: str, *, server: str | None = None) -> Host:
        """Put a host on the network: an entryway when `server` is another name."""
        pds_name = f"pds.{name}" if server else name
        authorization = self._authorization_server(server or name, pds_name, server)
        pds = FakePds(
            f"https://{pds_name}",
            authorization,
            clock=self.clock,
            handles=self.handles,
        )
        host = Host(name=name, pds=pds, server=authorization)
        self.servers[server or name] = authorization
        authorization.registers = lambda handle: self.settle(handle, host).did
        if server:
            self.network.serve(server, authorization)
            self.network.serve(pds_name, pds)
        else:
            self._shared.add(name)
            self.network.serve(name, _Shared(self, host))
        return host

    def _authorization_server(
        self, name: str, pds_name: str, separate: str | None
    ) -> FakeAuthorizationServer:
        return FakeAuthorizationServer(
            f"https://{name}",
            clock=self.clock,
            fetch=lambda url: self.network.fetch(url, sender=THE_SERVER),
            protected_resources=None if separate else [f"https://{pds_name}"],
        )

    # --- people -------------------------------------------------------------------

    def settle(
        self,
        handle: str,
        host: Host,
        *,
        did: str | None = None,
        txt: bool = False,
        https: bool = True,
    ) -> Person:
        """Create an account, found by HTTPS unless said otherwise."""
        person = Person(handle, did or plc_did(handle))
        host.server.accounts[handle] = person.did
        self.handles[person.did] = handle
        self.publish(person, host)
        if txt:
            self.dns.records[f"_atproto.{handle}"] = [f"did={person.did}"]
        if https:
            self.home(handle).did = person.did
        return person

    def publish(
        self, person: Person, host: Host, *, also: Iterable[str] = (), **changes: Any
    ) -> None:
        """Publish the DID document that says where the account lives."""
        document = did_document(
            person.did, handle=person.handle, pds=host.pds.origin, also=also
        )
        document |= changes
        if person.did.startswith("did:web:"):
            self.home(person.did.removeprefix("did:web:")).document = document
        else:
            self.plc.documents[person.did] = document

    def moves(self, person: Person, host: Host) -> None:
        """The account migrates: its document points to another host from now on."""
        host.server.accounts[person.handle] = person.did
        self.publish(person, host)

    def home(self, name: str) -> FakeHome:
        """Return the web host of a handle, put on the network when it is new."""
        if name not in self.homes:
            self.homes[name] = FakeHome()
            if name not in self._shared:
                self.network.serve(name, self.homes[name])
        return self.homes[name]


class _Shared:
    """One origin that is a PDS, its authorization server and a handle's home."""

    def __init__(self, world: World, host: Host) -> None:
        self._world = world
        self._host = host

    def __call__(self, environ: Any, start_response: Any) -> Iterable[bytes]:
        path = environ["PATH_INFO"]
        if path == "/.well-known/atproto-did":
            return self._world.homes[self._host.name](environ, start_response)
        if path.startswith(("/oauth/", "/.well-known/oauth-authorization-server")):
            return self._host.server(environ, start_response)
        return self._host.pds(environ, start_response)


def plc_did(seed: str) -> str:
    """Return a well-formed did:plc for a name."""
    digits = hashlib.sha256(seed.encode()).digest()[:24]
    return "did:plc:" + "".join(_BASE32[byte % 32] for byte in digits)
