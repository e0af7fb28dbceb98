"""Calls that XRPC_ALLOW does not name, and calls that try to look like others."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from tests.journeys.calling import (
    APPLY,
    CREATE,
    DELETE,
    GET_SESSION,
    PUT,
    TRACK,
    UPLOAD,
    Caller,
    record_of,
)

if TYPE_CHECKING:
    pass

NOTE = "app.relay.note"
LIST = "com.atproto.repo.listRecords"
GET = "com.atproto.repo.getRecord"


@pytest.fixture
def caller(shared: Caller) -> Caller:
    return shared


def is_refused(caller: Caller, answer: Any, status: int = 403) -> bool:
    """Tell whether a call was refused with the code of its kind, and not made."""
    code = {403: "call_not_allowed", 400: "invalid_request"}[status]
    refused = (answer.status, answer.json()["error"]) == (status, code)
    return refused and caller.at_pds() == []


def write(kind: str, collection: str = TRACK, **changes: Any) -> dict[str, Any]:
    return {
        "$type": f"{APPLY}#{kind}",
        "collection": collection,
        "rkey": "3l4",
        "value": {},
        **changes,
    }


# --- methods --------------------------------------------------------------------------


@pytest.mark.parametrize("verb", ["GET", "POST"])
@pytest.mark.parametrize(
    "path",
    [
        "com.atproto.server.deleteAccount",
        "com.atproto.server.getServiceAuth",
        "com.atproto.identity.updateHandle",
        "com.atproto.server.getsession",
        "COM.atproto.server.getSession",
        "com.atproto.server.getSession.",
        "com.atproto.server.getSession%20",
        "com.atproto.server.getSession%00",
        "com.atproto.server.getSession%3Fx=y",
        "com.atproto.server.getSession%23",
        "com.atproto.server.getSession;x",
        "%E2%80%8Bcom.atproto.server.getSession",
        "x",
        "..",
        "%2e%2e",
        "*",
    ],
)
def test_xrpc_method_outside_the_allow_list_is_refused(
    caller: Caller, verb: str, path: str
) -> None:
    assert is_refused(caller, caller.calls(verb, path))


@pytest.mark.parametrize(
    "path",
    [
        "com.atproto.server.getSession/",
        "com.atproto.server.getSession/../com.atproto.server.deleteAccount",
        "com.atproto.server.getSession%2F..%2Fcom.atproto.server.deleteAccount",
        "../../oauth/token",
        "/com.atproto.server.getSession",
        "",
    ],
)
def test_xrpc_path_that_is_no_nsid_is_not_found(caller: Caller, path: str) -> None:
    assert caller.calls("GET", path).status == 404
    assert caller.at_pds() == []


def test_xrpc_with_a_percent_encoded_nsid_is_passed_on(caller: Caller) -> None:
    """Judged, and sent on, as what it says."""
    answer = caller.gets("com%2Eatproto.server.%67etSession")

    assert answer.status == 200
    assert caller.at_pds()[0].path == f"/xrpc/{GET_SESSION}"


# --- writes ---------------------------------------------------------------------------


def test_write_with_collection_or_action_outside_the_allow_list_is_refused(
    caller: Caller,
) -> None:
    """`app.relay.note` may be created, `app.relay.track` all."""
    key = {"rkey": "3l4"}
    note = {"repo": caller.did, "collection": NOTE, **key}

    assert is_refused(caller, caller.posts(DELETE, note))
    assert is_refused(caller, caller.posts(PUT, {**note, "record": {}}))
    other = record_of(caller.did, collection="app.bsky.feed.post")
    assert is_refused(caller, caller.posts(CREATE, other))
    assert caller.posts(PUT, record_of(caller.did, **key)).status == 200
    assert caller.posts(DELETE, record_of(caller.did, **key)).status == 200


def test_apply_writes_with_allowed_writes_is_one_request(caller: Caller) -> None:
    writes = [write("create"), write("update"), write("delete")]

    answer = caller.posts(APPLY, {"repo": caller.did, "writes": writes})

    assert answer.status == 200
    assert len(caller.at_pds()) == 1


@pytest.mark.parametrize(
    "odd",
    [
        write("create", "app.bsky.feed.post"),
        write("update", NOTE),
        write("delete", NOTE),
        write("create", "app.bsky.graph.follow", value={"$type": TRACK}),
    ],
)
def test_apply_writes_with_one_forbidden_write_is_refused(
    caller: Caller, odd: dict[str, Any]
) -> None:
    for writes in ([write("create"), odd], [odd, write("create")]):
        answer = caller.posts(APPLY, {"repo": caller.did, "writes": writes})

        assert is_refused(caller, answer)


@pytest.mark.parametrize(
    "writes",
    [
        [],
        None,
        {},
        "x",
        [None],
        [[]],
        [write("create"), 1],
        [write("rename")],
        [write("create", "*")],
        [write("create", "app.relay.*")],
        [write("create", "")],
        [{**write("create"), "collection": None}],
        [{**write("create"), "collection": [TRACK]}],
        [{**write("create"), "$type": None}],
        [{**write("create"), "$type": ["create"]}],
        [{**write("create"), "$type": "create"}],
        [{**write("create"), "Collection": "app.bsky.feed.post"}],
        [{**write("create"), "$Type": f"{APPLY}#delete"}],
    ],
)
def test_apply_writes_with_malformed_writes_returns_invalid_request(
    caller: Caller, writes: Any
) -> None:
    answer = caller.posts(APPLY, {"repo": caller.did, "writes": writes})

    assert is_refused(caller, answer, 400)


@pytest.mark.parametrize("method", [CREATE, PUT, DELETE, APPLY])
@pytest.mark.parametrize(
    "repo",
    ["bob.skyhost.social", "alice.skyhost.social", "did:plc:other", "", None, 1, ["x"]],
)
def test_write_to_another_repository_is_refused(
    caller: Caller, method: str, repo: Any
) -> None:
    """A handle could come to mean another account between us and the PDS."""
    body = record_of(caller.did, repo=repo, rkey="3l4", writes=[write("create")])

    assert is_refused(caller, caller.posts(method, body))


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"null",
        b"[]",
        b"{",
        b"\xff\xfe",
        b"\xef\xbb\xbf{}",
        b'{"repo": NaN}',
        b"[" * 100_000,
        b'{"repo": ' + b"1" * 10_000 + b"}",
    ],
)
def test_write_with_a_body_that_is_no_object_returns_invalid_request(
    caller: Caller, body: bytes
) -> None:
    assert is_refused(caller, caller.posts(CREATE, body), 400)


def doubled(did: str, name: str, first: object, second: object) -> bytes:
    """Return the body of a call in which a name has two values."""
    rest = {"repo": did, "collection": TRACK, "record": {}}
    rest.pop(name, None)
    pairs = [(name, first), *rest.items(), (name, second)]
    return (
        "{" + ", ".join(f"{json.dumps(n)}: {json.dumps(v)}" for n, v in pairs) + "}"
    ).encode()


def test_write_with_repeated_or_miscased_names_returns_invalid_request(
    caller: Caller,
) -> None:
    """Whichever of the two a PDS would take."""
    other = "app.bsky.feed.post"
    both = [
        doubled(caller.did, "collection", TRACK, other),
        doubled(caller.did, "collection", other, TRACK),
        doubled(caller.did, "repo", caller.did, "did:plc:other"),
        doubled(caller.did, "record", {}, {}),
        json.dumps(record_of(caller.did, Collection=other)).encode(),
        json.dumps(record_of(caller.did, REPO="did:plc:other")).encode(),
        json.dumps(record_of(caller.did)).encode("utf-16"),
        b'{"\\u0072epo": "did:plc:other", '
        + json.dumps(record_of(caller.did)).encode()[1:],
    ]

    for body in both:
        assert is_refused(caller, caller.posts(CREATE, body), 400), body


@pytest.mark.parametrize(
    "headers",
    [
        {"Content_Type": "application/cbor"},
        {"Content_Type": "text/plain"},
        {"Content_Type": "application/x-www-form-urlencoded"},
        {"Content_Type": "multipart/form-data; boundary=x"},
        {"Content_Type": ""},
        {"Content_Encoding": "gzip"},
        {"Content_Encoding": "identity, br"},
        {"Atproto_Proxy": "did:web:evil.cafe#x"},
    ],
)
def test_write_with_unexpected_content_headers_returns_invalid_request(
    caller: Caller, headers: dict[str, str]
) -> None:
    answer = caller.posts(CREATE, record_of(caller.did), **headers)

    assert is_refused(caller, answer, 400)


def test_write_with_a_query_returns_invalid_request(caller: Caller) -> None:
    body = json.dumps(record_of(caller.did)).encode()

    answer = caller.calls(
        "POST",
        CREATE,
        body=body,
        headers={"Content-Type": "application/json"},
        query={"collection": "app.bsky.feed.post"},
    )

    assert is_refused(caller, answer, 400)


# --- reads ----------------------------------------------------------------------------


def test_read_of_an_allowed_collection_returns_the_own_records(caller: Caller) -> None:
    uri = caller.posts(CREATE, record_of(caller.did)).json()["uri"]
    own = {"repo": caller.did, "collection": TRACK}

    listed = caller.gets(LIST, limit="10", **own).json()["records"]
    found = caller.gets(GET, rkey=uri.rpartition("/")[2], **own).json()

    assert [one["uri"] for one in listed] == [found["uri"]] == [uri]


@pytest.mark.parametrize(
    ("query", "status"),
    [
        ({"repo": "did:plc:other"}, 403),
        ({"repo": "alice.skyhost.social"}, 403),
        ({"collection": "app.bsky.feed.post"}, 403),
        ({"collection": "*"}, 403),
        ({"collection": ""}, 403),
        ({"repo[]": "did:plc:other"}, 400),
        ({"collection[0]": "app.bsky.feed.post"}, 400),
        ({"Repo": "did:plc:other"}, 400),
    ],
)
def test_read_outside_the_allow_list_is_refused(
    caller: Caller, query: dict[str, str], status: int
) -> None:
    own = {"repo": caller.did, "collection": TRACK}

    assert is_refused(caller, caller.gets(LIST, **{**own, **query}), status)


def test_read_with_a_repeated_parameter_returns_invalid_request(caller: Caller) -> None:
    path = f"{LIST}?repo={caller.did}&collection={TRACK}&repo=did:plc:other"

    assert is_refused(caller, caller.gets(path), 400)


# --- uploads --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("content_type", "status"),
    [
        ("audio/mpeg", 403),
        ("text/html", 403),
        ("image/*", 403),
        ("*/*", 403),
        ("", 400),
        ("image", 400),
        ("image/", 400),
        ("image/png, text/html", 400),
        ("image/png text/html", 400),
    ],
)
def test_upload_of_a_media_type_outside_the_allow_list_is_refused(
    caller: Caller, content_type: str, status: int
) -> None:
    answer = caller.posts(UPLOAD, b"x", Content_Type=content_type)

    assert is_refused(caller, answer, status)


def test_unknown_xrpc_method_is_refused_before_its_body_is_read(caller: Caller) -> None:
    """A body without end costs nothing then."""
    answer = caller.posts("app.relay.unknown", b"x" * 2_000_000)

    assert is_refused(caller, answer)
