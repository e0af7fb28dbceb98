"""A DNS server on 127.0.0.1 that knows the TXT records of the laboratory's handles.

An unknown name does not exist: NXDOMAIN, at once. It runs in a thread, on a
port that the system picks.
"""

from __future__ import annotations

from types import TracebackType
from typing import Self

from dnslib import QTYPE, RCODE, RR, TXT, DNSRecord
from dnslib.server import BaseResolver, DNSHandler, DNSLogger, DNSServer


class HandleNames(BaseResolver):
    """The zone: which DID each handle's `_atproto` record names."""

    def __init__(self) -> None:
        self._dids: dict[str, str] = {}

    def publish(self, handle: str, did: str) -> None:
        """Answer for `handle` from now on."""
        self._dids[f"_atproto.{handle}."] = did

    def resolve(self, request: DNSRecord, handler: DNSHandler) -> DNSRecord:
        """Answer one question."""
        reply = request.reply()
        did = self._dids.get(str(request.q.qname).lower())
        if did is None:
            reply.header.rcode = RCODE.NXDOMAIN
        elif request.q.qtype == QTYPE.TXT:
            record = TXT(f"did={did}")
            reply.add_answer(RR(request.q.qname, QTYPE.TXT, rdata=record, ttl=60))
        return reply


class HandleDns:
    """Serves the zone over UDP while its block runs."""

    def __init__(self) -> None:
        self.names = HandleNames()
        quiet = DNSLogger("-request,-reply,-truncated,-error,-data")
        self._server = DNSServer(self.names, address="127.0.0.1", port=0, logger=quiet)
        self.port: int = self._server.server.server_address[1]

    def __enter__(self) -> Self:
        self._server.start_thread()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._server.stop()
        self._server.server.server_close()
