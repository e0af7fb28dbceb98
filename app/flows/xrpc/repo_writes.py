"""What a body writes to a repository: collections and actions, read strictly.

A body must say the same to us as to the PDS. Repeated names are refused where it is
parsed (`app.atproto.syntax.foreign_json`); here, names that differ in case alone,
because some JSON readers take them for the same.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from app.atproto.scopes.permission import Permission
from app.atproto.syntax.grammar import Did
from app.atproto.syntax.nsid import is_nsid
from app.flows.errors import CallMalformed, CallNotAllowed

APPLY_WRITES: Final = "com.atproto.repo.applyWrites"

WRITES: Final = {
    "com.atproto.repo.createRecord": ("create",),
    "com.atproto.repo.putRecord": ("create", "update"),  # whichever it turns out to be
    "com.atproto.repo.deleteRecord": ("delete",),
}

ACTIONS: Final = {
    f"{APPLY_WRITES}#create": "create",
    f"{APPLY_WRITES}#update": "update",
    f"{APPLY_WRITES}#delete": "delete",
}
"""What one of several writes is, by its `$type`."""

JUDGED: Final = frozenset({"repo", "collection", "writes", "$type"})
"""Names that decide what is written; none of them may stand there in two spellings."""


def writes_of(nsid: str, document: object, did: Did) -> Iterator[Permission]:
    """Yield a permission for each thing that a body does to the person's repository.

    Raises:
        CallNotAllowed: the repository is another's.
        CallMalformed: it is not the body of this method, or has two meanings.
    """
    body = _object(document)
    if body.get("repo") != did:
        raise CallNotAllowed("`repo` must be the person's own DID")
    if nsid == APPLY_WRITES:
        yield from _several(body)
        return
    for action in WRITES[nsid]:
        yield Permission.of("repo", _collection(body), action)


def _several(body: dict[str, Any]) -> Iterator[Permission]:
    writes = body.get("writes")
    if not isinstance(writes, list) or not writes:
        raise CallMalformed("`writes` must be a list of writes")
    for each in writes:
        write = _object(each)
        kind = write.get("$type")
        action = ACTIONS.get(kind) if isinstance(kind, str) else None
        if action is None:
            raise CallMalformed("the `$type` of a write says what it does")
        yield Permission.of("repo", _collection(write), action)


def _object(value: object) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise CallMalformed("its body is no JSON object")
    for name in value:
        if name not in JUDGED and name.casefold() in JUDGED:
            raise CallMalformed("a name of its body is spelled in another case")
    return value


def _collection(body: dict[str, Any]) -> str:
    collection = body.get("collection")
    if not isinstance(collection, str) or not is_nsid(collection):
        raise CallMalformed("`collection` is no NSID")
    return collection
