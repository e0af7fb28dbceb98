"""The cost of reading foreign text grows about linearly with its length.

A table names each function that reads text of strangers and its worst inputs. The CPU
time for four times the input is compared with that for the input, in the same run:
linear growth is 4, quadratic growth is 16. Functions with a length limit are measured
below it.
"""

from __future__ import annotations

import ast
import time
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from werkzeug.datastructures import LanguageAccept
from werkzeug.http import parse_accept_header

from app.atproto.discovery.server_metadata import AuthorizationServer
from app.atproto.errors import AtprotoError, printable
from app.atproto.http.types import Response
from app.atproto.http.url_policy import LONGEST_URL, NetworkPolicy
from app.atproto.identity.did import parse_did_document
from app.atproto.loopback.answer import parse_answer
from app.atproto.oauth.authorization import read_callback
from app.atproto.oauth.challenge import parse_challenges
from app.atproto.records import SCOPE_LIMIT, parse_token_set
from app.atproto.scopes.grammar import parse_word
from app.atproto.scopes.permission import Permission
from app.atproto.scopes.scope import ScopeSet, parse_scope
from app.atproto.session.session import NEEDED_SCOPE
from app.atproto.syntax.foreign_json import parse_json
from app.atproto.syntax.grammar import (
    parse_did,
    parse_handle,
    parse_origin,
    parse_server_url,
)
from app.atproto.syntax.identifier import LONGEST_INPUT, parse_identifier
from app.atproto.syntax.nsid import parse_nsid
from app.blueprints.services.xrpc import _MEDIA_TYPE
from app.flows.errors import FlowError
from app.flows.login.scope_requests import Permissions
from app.flows.native.app_identity import parse_app_name, parse_code_challenge
from app.flows.people.emails import address_in
from app.flows.people.profiles import profile_in
from app.flows.people.rule import Rule
from app.flows.people.signup.handle_domains import parse_domain
from app.flows.people.signup.usernames import parse_username
from app.flows.provider.redirect_uris import RedirectRules
from app.flows.provider.scopes import granted_scope
from app.flows.provider.tokens.client_authentication import read_basic
from app.flows.provider.tokens.requests import LONGEST as LONGEST_PARAMETER
from app.flows.provider.tokens.requests import LONGEST_JWT, Form
from app.flows.xrpc.repo_writes import writes_of
from app.flows.xrpc.retry_after import wait_of
from app.native import NativeError
from app.native.transports.responses import parse_document
from app.native.urls import LONGEST as LONGEST_PAGE
from app.native.urls import parse_page_url
from app.serving.heads import MOST_HEAD
from app.tokens.client_assertions import (
    MOST_KEYS,
    claimed_issuer,
    claimed_key,
    parse_jwks,
)
from app.tokens.errors import TokenError
from app.tokens.keys import claimed_kid
from app.web.pages.permission_text import in_words
from app.web.requests import WAIT, cookies_in
from app.web.return_to import LONGEST, ReturnPolicy, ReturnToInvalid
from app.web.security.forwarded import address_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

ROOT = Path(__file__).resolve().parents[1]
DID = "did:plc:" + "a" * 24
REFUSALS = (
    AtprotoError,
    FlowError,
    NativeError,
    TokenError,
    ReturnToInvalid,
    ValueError,
)
"""What the functions raise for text that they do not accept."""

POLICY = ReturnPolicy(
    public_url="https://auth.platform.org",
    hosts=frozenset(),
    below="platform.org",
    allow_http=False,
)


def many(piece: str, *, start: str = "", end: str = "") -> Callable[[int], str]:
    """Return a maker of texts of a length: a piece again and again."""
    return lambda size: start + piece * (size // len(piece)) + end


def numbered(
    start: str, piece: str, *, joint: str = " ", end: str = ""
) -> Callable[[int], str]:
    """Return a maker of texts whose pieces all differ."""

    def make(size: int) -> str:
        count = size // (len(piece) + 6)
        return start + joint.join(f"{piece}{n:05}" for n in range(count)) + end

    return make


def response(body: str = "", **headers: str) -> Response:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return Response(401, named, body.encode(), "https://pds.host.dev/")


TEXTS = [many("a"), many("a."), many("-"), many(" "), many("\xe9"), many("%41")]
SCOPES = [
    numbered("atproto ", "repo:app.relay.n"),
    numbered("atproto ", "include:app.relay.n"),
    numbered("atproto ", "unknown:"),
    numbered("repo?", "collection=app.relay.n", joint="&"),
    numbered("rpc?aud=*&", "lxm=app.relay.n", joint="&"),
    numbered("blob?", "accept=image/n", joint="&"),
]
URLS = [
    many("a", start="https://"),
    many("a.", start="https://"),
    many("a", start="https://host.dev/"),
    many("%41", start="https://host.dev/?"),
    many(":", start="https://host.dev"),
    many("/", start="https:"),
]
NESTED = [
    many("[", end=""),
    lambda size: "[" * 60 + "1," * (size // 2) + "1" + "]" * 60,
    numbered("{", '"name', joint='":1,', end='":1}'),
    many('"\\ud83d\\ude00",', start="[", end="1]"),
    many("9"),
    many(" "),
]
CHALLENGES = [
    many("DPoP "),
    many('DPoP error="x", '),
    many("DPoP error=", end='"'),
    many('"\\'),
    many("=,"),
    many(" \t"),
]


TOKENS = [
    *TEXTS,
    many("e"),
    many("."),
    many("W1tb"),
    many("W1tb", start="eyJhbGciOiJFUzI1NiJ9.", end=".AA"),
]


def compare_scopes(text: str) -> object:
    granted = ScopeSet.parse(text)
    return granted.missing(text), granted.is_same_as(granted), granted.may_allow(text)


def read_writes(text: str) -> object:
    write = {"$type": "com.atproto.repo.applyWrites#create", "collection": "a.b.c"}
    writes = [write] * (len(text) // 50)
    body = {"repo": DID, "writes": writes, **{f"{n}x": n for n in range(len(writes))}}
    return list(writes_of("com.atproto.repo.applyWrites", body, DID))


def read_did_document(text: str) -> object:
    names = [f"at://{text[:250]}"] * (len(text) // 100)
    services = [{"id": "#x", "type": "y", "serviceEndpoint": "z"}] * len(names)
    document = {"id": DID, "alsoKnownAs": names, "service": services}
    return parse_did_document(document, did=DID, host="plc.directory")


def read_metadata(text: str) -> object:
    document = {
        "issuer": "https://host.dev",
        "scopes_supported": [text[:8]] * (len(text) // 8),
        "token_endpoint": "https://host.dev/" + text,
    }
    return AuthorizationServer.parse(
        document, issuer="https://host.dev", policy=NetworkPolicy()
    )


def read_token_set(text: str) -> object:
    document = {"access_token": "x", "token_type": "DPoP", "sub": DID, "scope": text}
    return parse_token_set(document, host="host.dev", requested=text)


def read_redirect_uri(text: str) -> object:
    rules = RedirectRules(own_origin="https://auth.platform.org", is_development=False)
    asked = f"http://127.0.0.1{text}"
    return rules.matches("http://127.0.0.1/a", asked, is_public=True)


def read_jwks(text: str) -> object:
    key = {"kty": "RSA", "kid": text, "n": text, "e": text[:8], text: text}
    return parse_jwks({"keys": [key] * MOST_KEYS})


CASES: dict[str, tuple[Callable[[str], Any], list[Callable[[int], str]], int]] = {
    "parse_handle": (parse_handle, TEXTS, 50_000),
    "parse_domain": (parse_domain, TEXTS, 50_000),
    "parse_did": (parse_did, [*TEXTS, many("a", start="did:plc:")], 50_000),
    "parse_origin": (parse_origin, URLS, 50_000),
    "parse_server_url": (parse_server_url, URLS, 50_000),
    "parse_nsid": (parse_nsid, TEXTS, 50_000),
    "parse_identifier": (
        parse_identifier,
        [
            *TEXTS,
            many("\ufdfa"),
            many("\u200b"),
            many("\u00fc"),
            many("\u00fc."),
            many("@"),
            many(". "),
            many('"'),
        ],
        LONGEST_INPUT // 4,
    ),
    "parse_identifier of a URL": (
        parse_identifier,
        [many("%40", start="https://a.dev/"), many("/@a.b", start="https://a.dev")],
        LONGEST_INPUT // 5,
    ),
    "parse_json": (lambda text: parse_json(text.encode()), NESTED, 50_000),
    "parse_scope": (parse_scope, [*SCOPES, many("a "), many(" ")], 20_000),
    "parse_word": (parse_word, [*SCOPES, many("%41", start="a:")], 20_000),
    "Permission.parse": (Permission.parse, SCOPES, 20_000),
    "ScopeSet": (compare_scopes, SCOPES, 4_000),
    "in_words": (in_words, SCOPES, 8_000),
    "check_url": (NetworkPolicy().check_url, URLS, LONGEST_URL // 5),
    "content_type": (
        lambda text: response(Content_Type=text).content_type,
        [many(";"), many(" ")],
        50_000,
    ),
    "printable": (printable, TEXTS, 50_000),
    "parse_challenges": (lambda text: list(parse_challenges(text)), CHALLENGES, 8_000),
    "NEEDED_SCOPE": (NEEDED_SCOPE.search, [*TEXTS, many("scope "), many('"')], 4_000),
    "read_callback": (
        lambda text: read_callback([("state", text)] * (len(text) // 10)),
        TEXTS,
        20_000,
    ),
    "parse_answer": (parse_answer, [many("a=b&"), many("&"), many("%41")], 50_000),
    "parse_did_document": (read_did_document, TEXTS, 20_000),
    "AuthorizationServer.parse": (read_metadata, TEXTS, 20_000),
    "parse_jwks": (read_jwks, TEXTS, 20_000),
    "parse_token_set": (read_token_set, SCOPES, 1_500),
    "writes_of": (read_writes, [many("a")], 20_000),
    "wait_of": (
        lambda text: wait_of({"Retry-After": text}, 0.0),
        [*TEXTS, many("1"), many("Mon, "), many("1:")],
        2_000,
    ),
    "wait of Prefer": (WAIT.search, [many(", "), many("wait="), many(" ")], 2_000),
    "media type": (_MEDIA_TYPE.fullmatch, TEXTS, 20_000),
    "parse_username": (parse_username, [*TEXTS, many("a-")], 20_000),
    "parse_app_name": (parse_app_name, TEXTS, 20_000),
    "parse_code_challenge": (parse_code_challenge, TEXTS, 20_000),
    "return_to": (POLICY.parse, [*URLS, many("/")], LONGEST // 5),
    "return_to origin": (POLICY.is_origin, URLS, 20_000),
    "address_of": (address_of, [*TEXTS, many(":"), many("1."), many("[")], 20_000),
    "claimed_kid": (claimed_kid, TOKENS, 20_000),
    "claimed_key": (claimed_key, TOKENS, LONGEST_JWT // 5),
    "claimed_issuer": (claimed_issuer, TOKENS, LONGEST_JWT // 5),
    "read_basic": (
        read_basic,
        [many("QUFB", start="Basic "), many(" ", start="Basic"), many("=")],
        LONGEST_PARAMETER // 5,
    ),
    "Form.read": (lambda text: Form.read({text: [text] * 3}), TEXTS, 20_000),
    "granted_scope": (lambda text: granted_scope(text, text[:400]), SCOPES, 1_000),
    "RedirectRules.matches": (read_redirect_uri, URLS, 2_000),
    "Rule.parse": (
        lambda text: Rule.parse(group=[text], user=[text]),
        [many("a,"), many(","), many("a")],
        8_000,
    ),
    "Permissions.parse": (
        Permissions(scope="atproto", declared="atproto blob:image/*").parse,
        [*SCOPES, many(" ")],
        SCOPE_LIMIT // 5,
    ),
    "ScopeSet.parse": (ScopeSet.parse, SCOPES, 8_000),
    "address_in": (
        lambda text: address_in({"email": text}),
        [many("a"), many("a.", start="a@"), many("a-", start="a@")],
        60,
    ),
    "profile_in": (lambda text: profile_in({"displayName": text}), TEXTS, 15_000),
    "cookies_in": (
        lambda text: cookies_in(text, "platform_token"),
        [many("platform_token=a;"), many(";"), many(" ")],
        MOST_HEAD // 5,
    ),
    "accepted languages": (
        lambda text: parse_accept_header(text, LanguageAccept),
        [many("a;q=0.1,"), numbered("", "a", joint=","), many(";"), many(",")],
        MOST_HEAD // 5,
    ),
    "native parse_document": (parse_document, NESTED, 15_000),
    "native parse_page_url": (parse_page_url, URLS, LONGEST_PAGE // 5),
}

EXEMPT = {
    "parse_protected_resource": "compares two fields",
    "parse_signing_key": "reads a file of the operator",
    "XrpcAllowList.parse": "reads a setting",
    "SignupRule.parse": "reads a setting",
    "Usernames.parse": "calls parse_username",
    "ReturnPolicy.parse": "measured as return_to",
    "BoundedRequest.parse": "gunicorn's, up to MOST_HEAD",
}
"""Public `parse_...` functions that are not measured, and why."""

PARSES = ("parse_", "claimed_")

GROWTH_LIMIT = 8.0
"""Between linear (4) and quadratic (16) growth for four times the input."""

ROUNDS = [
    (name, n) for name, (_, makers, _) in CASES.items() for n in range(len(makers))
]


def cpu_time(
    read: Callable[[str], Any], text: str, *, repeat: int, tries: int = 3
) -> float:
    """Return the CPU seconds of some calls, the best of some tries."""
    best = float("inf")
    for _ in range(tries):
        began = time.thread_time()
        for _ in range(repeat):
            with suppress(*REFUSALS):
                read(text)
        best = min(best, time.thread_time() - began)
    return best


def growth(read: Callable[[str], Any], make: Callable[[int], str], size: int) -> float:
    """Return how many times longer four times the input takes, or seems to.

    The input is read several times, so that a busy machine hides no growth.
    """
    text, longer = make(size), make(4 * size)
    repeat = 1
    while cpu_time(read, text, repeat=repeat, tries=1) < 0.0002:
        repeat *= 4
    once = cpu_time(read, text, repeat=repeat)
    return cpu_time(read, longer, repeat=repeat, tries=1) / once


@pytest.mark.parametrize(("name", "which"), ROUNDS)
def test_cost_of_foreign_text_grows_linearly(name: str, which: int) -> None:
    read, makers, size = CASES[name]

    found = [growth(read, makers[which], size)]
    while found[-1] > GROWTH_LIMIT and len(found) < 4:  # the machine may be busy
        found.append(growth(read, makers[which], size))

    assert min(found) <= GROWTH_LIMIT, found


def test_quadratic_cost_is_noticed() -> None:
    def read(text: str) -> int:
        return sum(1 for first in text for second in text if first < second)

    assert growth(read, many("a"), 100) > GROWTH_LIMIT


def test_every_parser_of_foreign_text_is_measured() -> None:
    measured = " ".join(CASES) + " ".join(EXEMPT)
    skipped = {"config", "commands", "native", "stores", "cli"}
    parsers = {
        name
        for path in (ROOT / "app").rglob("*.py")
        if not skipped & set(path.relative_to(ROOT / "app").parts[:2])
        for name in parsers_of(ast.parse(path.read_text(encoding="utf-8")))
    }

    assert {name for name in parsers if name not in measured} == set()


def parsers_of(tree: ast.Module) -> Iterator[str]:
    """Yield functions that parse by their name, and classes with such a method."""
    for node in tree.body:
        if isinstance(node, ast.FunctionDef) and node.name.startswith(PARSES):
            yield node.name
        if isinstance(node, ast.ClassDef):
            functions = [n for n in node.body if isinstance(n, ast.FunctionDef)]
            if any(function.name == "parse" for function in functions):
                yield f"{node.name}.parse"
