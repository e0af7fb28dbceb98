"""XRPC_ALLOW: what is read from it, and that nothing beyond it is ever admitted."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.atproto.errors import ScopeInvalid
from app.atproto.syntax.grammar import Did
from app.flows.errors import CallMalformed, CallNotAllowed
from app.flows.xrpc.allow_list import READS, UPLOAD_BLOB, Admitted, Call, XrpcAllowList
from app.flows.xrpc.repo_writes import ACTIONS, APPLY_WRITES, WRITES

DID = Did("did:plc:k7cmwsiotbw56d3znjcqn2eu")
SERVICE = "did:web:api.relay.cafe#appview"
NAMED = "did:web:api.relay.cafe%23appview"
COLLECTIONS = ("app.relay.track", "app.relay.note", "app.bsky.feed.post")
METHODS = (
    "app.relay.getFeed",
    "app.relay.getfeed",
    "com.atproto.server.getSession",
    "com.atproto.server.getServiceAuth",
    *WRITES,
    APPLY_WRITES,
    UPLOAD_BLOB,
    *READS,
)
WORDS = (
    "repo:app.relay.track",
    "repo:app.relay.note?action=create",
    "blob:image/*",
    "rpc:app.relay.getFeed",
    f"rpc:app.relay.getFeed?aud={NAMED}",
    f"rpc:*?aud={NAMED}",
)


def admitted(rules: XrpcAllowList, call: Call, body: object = None) -> Admitted | None:
    try:
        return rules.admit(call, DID) or rules.admit_writes(call, body, DID)
    except (CallNotAllowed, CallMalformed):
        return None


@given(
    words=st.sets(st.sampled_from(WORDS)),
    verb=st.sampled_from(["GET", "POST"]),
    method=st.sampled_from(METHODS) | st.text(max_size=20),
    service=st.sampled_from([None, SERVICE, "did:web:evil.cafe#x"])
    | st.text(min_size=1, max_size=9),
    media_type=st.sampled_from(["", "application/json", "image/png", "text/html"]),
    repo=st.sampled_from([DID, "did:plc:other"]),
    collection=st.sampled_from(COLLECTIONS) | st.text(max_size=9),
    kind=st.sampled_from([*ACTIONS, "x"]),
)
def test_admit_of_a_named_call_returns_its_needs(
    words, verb, method, service, media_type, repo, collection, kind
):
    """Said once more, in the plainest words, for every call that gets through."""
    rules = XrpcAllowList.parse(" ".join(sorted(words)))
    params = (("repo", repo), ("collection", collection)) if method in READS else ()
    call = Call(
        verb=verb, nsid=method, params=params, media_type=media_type, service=service
    )
    write = {"$type": kind, "collection": collection}
    body = {"repo": repo, "collection": collection, "writes": [write]}

    result = admitted(rules, call, body)

    if result is None:
        return
    if verb == "POST" and method in {*WRITES, APPLY_WRITES}:
        actions = WRITES.get(method) or (ACTIONS[kind],)
        assert repo == DID
        assert (
            "repo:app.relay.track" in words
            if collection == COLLECTIONS[0]
            else (
                collection == COLLECTIONS[1]
                and "repo:app.relay.note?action=create" in words
                and actions == ("create",)
            )
        )
        assert result.service is None
    elif verb == "POST" and method == UPLOAD_BLOB:
        assert "blob:image/*" in words
        assert media_type == "image/png"
    elif verb == "GET" and method in READS:
        assert (repo, result.service) == (DID, None)
        assert result.collections == (collection,)
    elif result.service is None:
        assert method == "app.relay.getFeed"
        assert "rpc:app.relay.getFeed" in words
    else:
        assert result.service == SERVICE
        assert service in {None, SERVICE}
        assert not method.startswith("com.atproto.")
        assert f"rpc:*?aud={NAMED}" in words or (
            method,
            f"rpc:{method}?aud={NAMED}" in words,
        ) == ("app.relay.getFeed", True)


@pytest.mark.parametrize(
    "text",
    [
        "rpc:*",
        "rpc:*?aud=*",
        "rpc:com.atproto.repo.createRecord",
        f"rpc:com.atproto.repo.applyWrites?aud={NAMED}",
        "rpc:com.atproto.repo.CreateRecord",
        "rpc?lxm=app.relay.getFeed&lxm=com.atproto.repo.uploadBlob",
        "rpc:com.atproto.repo.importRepo",
        "rpc:com.atproto.server.getServiceAuth",
        "rpc:com.atproto.server.CREATEAPPPASSWORD",
        "rpc:app.relay.getFeed?aud=did:web:api.relay.cafe",
        "repo:app.relay.*",
        "repo:app.relay.track?action=read",
        "repo",
        "blob:image",
        "account:email",
        "identity:handle",
        "include:app.relay.full",
        "transition:generic",
        "atproto",
        "app.relay.getFeed",
    ],
)
def test_parse_of_a_forbidden_method_raises_scope_invalid(text):
    with pytest.raises(ScopeInvalid):
        XrpcAllowList.parse(f"repo:app.relay.track {text}")


def test_a_wildcard_of_a_service_is_none_of_the_pds_itself():
    """A PDS answers these itself, also when the header names a service."""
    rules = XrpcAllowList.parse(f"rpc:*?aud={NAMED}")

    for method in METHODS[2:]:
        for spelled in (method, method.upper(), method.title()):
            call = Call(verb="GET", nsid=spelled, service=SERVICE)
            assert admitted(rules, call) is None, spelled
    free = Call(verb="GET", nsid="app.relay.getOther", service=SERVICE)
    assert admitted(rules, free) == Admitted(
        service=SERVICE, needs=(f"rpc:app.relay.getOther?aud={NAMED}",)
    )


def test_several_services_for_one_method_must_be_told_apart():
    other = "did:web:other.relay.cafe#appview"
    rules = XrpcAllowList.parse(
        f"rpc:app.relay.getFeed?aud={NAMED} "
        "rpc:app.relay.getFeed?aud=did:web:other.relay.cafe%23appview"
    )
    call = Call(verb="GET", nsid="app.relay.getFeed")

    assert admitted(rules, call) is None
    chosen = admitted(rules, Call(verb="GET", nsid="app.relay.getFeed", service=other))
    assert chosen is not None
    assert chosen.service == other


def test_reading_records_may_be_named_like_any_method():
    """Then it is for all repositories, and the PDS says what is public."""
    rules = XrpcAllowList.parse("rpc:com.atproto.repo.listRecords")
    params = (("repo", "did:plc:other"), ("collection", "app.bsky.feed.post"))

    call = Call(verb="GET", nsid="com.atproto.repo.listRecords", params=params)

    assert admitted(rules, call) == Admitted()


def test_what_a_call_needs_is_said_as_a_scope():
    rules = XrpcAllowList.parse("repo:* blob:*/*")
    put = Call(
        verb="POST", nsid="com.atproto.repo.putRecord", media_type="application/json"
    )
    upload = Call(verb="POST", nsid=UPLOAD_BLOB, media_type="audio/mpeg")

    result = admitted(rules, put, {"repo": DID, "collection": "app.relay.track"})

    assert result is not None
    assert result.needs == (
        "repo:app.relay.track?action=create",
        "repo:app.relay.track?action=update",
    )
    assert admitted(rules, upload) == Admitted(needs=("blob:audio/mpeg",))
