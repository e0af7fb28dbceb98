"""What a service of the platform may ask of its visitor's PDS (XRPC_ALLOW). Pure.

`XRPC_ALLOW` says it in the words of the permissions themselves (requirement 8.3):
`rpc:` names methods, `repo:` the collections and actions of the person's own
repository, `blob:` what may be uploaded. Everything else is refused before the PDS
hears of it. What a host could read in another way than we do is refused, not corrected.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Final, Literal, Self

from app.atproto.errors import ScopeInvalid, printable
from app.atproto.scopes.grammar import parse_word
from app.atproto.scopes.permission import Permission
from app.atproto.scopes.scope import ScopeSet
from app.atproto.syntax.grammar import Did
from app.atproto.syntax.nsid import is_nsid
from app.flows.errors import CallMalformed, CallNotAllowed

from .repo_writes import APPLY_WRITES, WRITES, writes_of

Verb = Literal["GET", "POST"]

GET_RECORD: Final = "com.atproto.repo.getRecord"
LIST_RECORDS: Final = "com.atproto.repo.listRecords"
UPLOAD_BLOB: Final = "com.atproto.repo.uploadBlob"

READS: Final = {
    GET_RECORD: frozenset({"repo", "collection", "rkey", "cid"}),
    LIST_RECORDS: frozenset({"repo", "collection", "limit", "cursor", "reverse"}),
}
"""What reads a collection, and its parameters: any other could mean the same twice."""

OWN_WAYS: Final = {
    **{name.lower(): "repo:" for name in (*WRITES, APPLY_WRITES)},
    UPLOAD_BLOB.lower(): "blob:",
}
"""Methods that another resource names, with what it may be done to."""

NEVER: Final = frozenset(
    name.lower()
    for name in (
        "com.atproto.repo.importRepo",  # writes every collection at once
        "com.atproto.server.createAppPassword",
        "com.atproto.server.createSession",
        "com.atproto.server.getServiceAuth",
        "com.atproto.server.refreshSession",
    )
)
"""Methods that hand out credentials, or go round the rules of `repo:`."""

RESERVED: Final = "com.atproto."
"""What a PDS serves itself, also when a header names a service: no wildcard matches."""

JSON: Final = "application/json"


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """What a service asks for: everything but the body."""

    verb: Verb
    nsid: str
    params: Sequence[tuple[str, str]] = field(default=(), repr=False)
    media_type: str = ""
    """In lower case and without parameters; empty when none was named."""
    service: str | None = None
    """Whom the PDS shall forward it to (`atproto-proxy`)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Admitted:
    """A call that may go out."""

    collections: tuple[str, ...] = ()
    service: str | None = None
    needs: tuple[str, ...] = ()
    """What the person must have granted for it, as words of a scope."""


@dataclass(frozen=True, slots=True)
class XrpcAllowList:
    """XRPC_ALLOW, read once."""

    allowed: ScopeSet

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read permissions with spaces between them.

        `rpc:NSID` without `aud` is the method of the PDS itself.

        Raises:
            ScopeInvalid: not permissions, or such as no call needs or may have.
        """
        words = tuple(map(_permission, text.split()))
        return cls(ScopeSet(permissions=words, words=()))

    def admit(self, call: Call, did: Did) -> Admitted | None:
        """Judge a call by what stands before its body.

        Returns None for a write to the repository, which its body decides:
        `admit_writes`.

        Raises:
            CallNotAllowed: XRPC_ALLOW does not name it.
            CallMalformed: a PDS could take it for another call than we do.
        """
        if not is_nsid(call.nsid):
            raise CallNotAllowed("it is no method (NSID)")
        if call.verb == "POST" and (call.nsid in WRITES or call.nsid == APPLY_WRITES):
            self._check_write(call)
            return None
        if call.verb == "POST" and call.nsid == UPLOAD_BLOB:
            return self._upload(call)
        if call.verb == "GET" and call.nsid in READS and self._names_no_method(call):
            return self._read(call, did)
        return self._method(call)

    def admit_writes(self, call: Call, document: object, did: Did) -> Admitted:
        """Judge a write to the repository by its body; all of its writes or none.

        Raises:
            CallNotAllowed: another's repository, or a collection or action that
                XRPC_ALLOW does not name.
            CallMalformed: not the body of such a call, or one of two meanings.
        """
        writes = tuple(dict.fromkeys(writes_of(call.nsid, document, did)))
        for write in writes:
            if not self.allowed.allows(write):
                raise CallNotAllowed(f"XRPC_ALLOW does not name {write}")
        return Admitted(
            collections=tuple(sorted({write.subjects[0] for write in writes})),
            needs=tuple(map(str, writes)),
        )

    def _of(self, resource: str) -> Iterator[Permission]:
        return (p for p in self.allowed.permissions if p.resource == resource)

    def _check_write(self, call: Call) -> None:
        """Refuse what needs no look at the body."""
        if not any(self._of("repo")):
            raise CallNotAllowed("XRPC_ALLOW names no collection (repo:...)")
        if call.media_type != JSON:
            raise CallMalformed(f"its body must be {JSON}")
        if call.params or call.service:
            raise CallMalformed("it takes neither parameters nor atproto-proxy")

    def _upload(self, call: Call) -> Admitted:
        if call.params or call.service:
            raise CallMalformed("it takes neither parameters nor atproto-proxy")
        try:
            wanted = Permission.of("blob", call.media_type)
        except ScopeInvalid:
            raise CallMalformed("its Content-Type must say what it is") from None
        if "*" in call.media_type or not self.allowed.allows(wanted):
            raise CallNotAllowed(f"XRPC_ALLOW does not name {wanted}")
        return Admitted(needs=(str(wanted),))

    def _names_no_method(self, call: Call) -> bool:
        return not any(call.nsid in each.subjects for each in self._of("rpc"))

    def _read(self, call: Call, did: Did) -> Admitted:
        """Admit reading a collection that may be written, of the person's own."""
        names = [name for name, _ in call.params]
        if len(set(names)) != len(names) or not READS[call.nsid].issuperset(names):
            raise CallMalformed("a parameter is repeated, or not one of this method")
        given = dict(call.params)
        if given.get("repo") != did:
            raise CallNotAllowed("`repo` must be the person's own DID")
        collection = given.get("collection", "")
        is_named = any(
            {collection, "*"}.intersection(p.subjects) for p in self._of("repo")
        )
        if not is_nsid(collection) or not is_named or call.service:
            raise CallNotAllowed(
                f"XRPC_ALLOW does not name repo:{printable(collection)}"
            )
        return Admitted(collections=(collection,))

    def _method(self, call: Call) -> Admitted:
        """Admit a method, at the PDS itself or at a service that is named for it."""
        services = set(self._services_of(call.nsid))
        if call.service is None and None in services:
            return Admitted()
        if call.service is None and len(services) > 1:
            raise CallNotAllowed("XRPC_ALLOW names several services: say which one")
        service = call.service or next(iter(services), None)
        if service is None or service not in services:
            at = f" at {printable(service)}" if service else ""
            raise CallNotAllowed(f"XRPC_ALLOW does not name {call.nsid}{at}")
        wanted = Permission.of("rpc", call.nsid, service)
        return Admitted(service=service, needs=(str(wanted),))

    def _services_of(self, nsid: str) -> Iterator[str | None]:
        """Yield where a method may be called; None is the PDS itself."""
        is_reserved = nsid.lower().startswith(RESERVED)
        for each in self._of("rpc"):
            if nsid in each.subjects or ("*" in each.subjects and not is_reserved):
                yield None if each.details == ("*",) else each.details[0]


def _permission(text: str) -> Permission:
    word = parse_word(text)
    if word.resource not in {"rpc", "repo", "blob"}:
        raise ScopeInvalid(f"{word.resource} names no call; use rpc, repo or blob")
    if word.resource == "rpc" and "aud" not in word.parameters:
        text += "&aud=*" if "?" in text else "?aud=*"
    permission = Permission.parse(text)
    if permission.resource == "rpc":
        _check_methods(permission.subjects)
    return permission


def _check_methods(methods: Iterable[str]) -> None:
    for method in methods:
        folded = method.lower()  # hosts route without regard to case
        if way := OWN_WAYS.get(folded):
            raise ScopeInvalid(f"{method} is allowed with {way}, not with rpc:")
        if folded in NEVER:
            raise ScopeInvalid(f"{method} is never called for a service")
