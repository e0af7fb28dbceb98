"""One context for each page as people may meet it, and for each error."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextvars import ContextVar
from dataclasses import asdict, dataclass
from gettext import NullTranslations
from typing import Any

from app.failures.messages import ENGLISH, message_for
from app.failures.texts import MESSAGES, REFERRED
from app.flows.account.ended import SessionEnd
from app.flows.people.trail import AuditEvent
from app.flows.provider.registration import Registration
from app.web.pages.device_name import name_of_device
from app.web.pages.event_text import event_in_words
from app.web.pages.permission_text import in_words, word_by_word
from app.web.pages.scope_text import told
from app.web.pages.session_end import end_notice

HYPHENATED = "a-name-with-hyphens-in-it-that-goes-on-and-on-and"
# 253 characters, the longest there is.
LONG_HANDLE = f"{'w' * 63}.{HYPHENATED}.{'m' * 63}.{'i' * 63}.example.com"
LONG_HOST = f"pds.{'an-uncommonly-long-name-' * 2}of-a-host.{'o' * 63}.example.com"
DID = "did:plc:ewvi7nxzyoun6zhxrhs64oiz"
NOW = 1795277100.0
"""Two hours after the last event of the samples."""
REFERENCE = "7f3k-92qd"
BSKY = {"url": "https://bsky.social", "name": "bsky.social"}
HOSTS = [
    BSKY,
    {"url": "https://eurosky.example", "name": "eurosky.example"},
    {"url": f"https://{LONG_HOST}", "name": LONG_HOST},
]
REMEMBERED = [
    {"handle": "alice.bsky.social", "did": DID, "host": "bsky.social"},
    {"handle": "alice.example.com", "did": "did:web:alice.example.com", "host": None},
]

WAITING_APP = {
    "name": "Wiki",
    "where": "wiki.example.org",
    "request_secret": "s",
    "onward": "/oauth/consent?request=s&mark=m",
}
LOGIN: dict[str, Any] = {
    "page_title": "Sign in",
    "identifier": "",
    "suggestion": None,
    "return_to": "https://forum.meadow.example/t/42?page=2",
    "prompt": "",
    "scope": "",
    "remembered": [],
    "signup_hosts": [BSKY],
    "example": "alice.bsky.social",
    "has_typeahead": True,
    "is_email": False,
    "notice": None,
    "signed_in": None,
    "is_invited": False,
    "app": None,
}
IPHONE = "Mozilla/5.0 (iPhone; CPU iPhone OS 19_0 like Mac OS X) Safari/604.1"
ENDED = SessionEnd(at=1795269900.0, reason="ended by the person", device=IPHONE)
UPGRADE: dict[str, Any] = {
    "page_title": "One more permission",
    "user": {"username": "alice", "handle": "alice.bsky.social"},
    "did": DID,
    "host": "bsky.social",
    "is_over": False,
    "asks": [
        "add, change and delete your public records of app.relay.track",
        "upload images",
    ],
    "return_to": "https://forum.meadow.example/t/42?page=2",
    "scope": "repo:app.relay.track blob:image/*",
    "prompt": "",
    "notice": None,
}
LAPTOP: dict[str, Any] = {
    "sid": "sid-of-the-laptop",
    "name": "Firefox on Linux",
    "is_app": False,
    "since": 1795269900.0,
    "seen": 1795269900.5,
    "until": 1797861900.5,
    "host": "bsky.social",
    "is_connected": True,
    "permissions": [],
}
PHONE: dict[str, Any] = LAPTOP | {
    "sid": "sid-of-the-phone",
    "name": "Safari on an iPhone",
}
APP: dict[str, Any] = LAPTOP | {
    "sid": "sid-of-an-app",
    "name": "Sketch",
    "is_app": True,
}
APPS: list[dict[str, Any]] = [
    {
        "client_id": "board",
        "name": "Board",
        "where": "board.meadow.example",
        "since": 1795250000.0,
        "used_at": 1795269900.0,
    },
    {
        "client_id": "W" * 64,
        "name": "W" * 64,
        "where": LONG_HOST,
        "since": 1795250000.0,
        "used_at": None,
    },
]
ACCOUNT: dict[str, Any] = {
    "page_title": "Your account",
    "user": UPGRADE["user"] | {"did": DID},
    "here": LAPTOP,
    "handle_checked_at": 1795269900.0,
    "others": [],
    "apps": [],
    "events": [],
    "ended": "",
    "done": "",
    "notice": None,
    "typed": "",
    "may_change": True,
    "may_change_at": 0.0,
    "change_days": 30,
    "hold_days": 90,
    "remembered": [],
    "moved_from": None,
}
EVENTS: list[tuple[str, dict[str, object]]] = [
    ("signed_in", {"app": "Sketch"}),
    ("handle_changed", {"from": "alice.bsky.social", "to": "alice.example.com"}),
    ("permission_withdrawn", {"permission": UPGRADE["scope"]}),
    ("session_ended", {"operator": "carol"}),
    ("signed_up", {}),
]
"""Their names and details, the latest first."""

EVENT_PAGE: dict[str, Any] = {
    "page_title": "What happened here",
    "events": [],
    "older": "065e7b8a1c3f00",
    "is_first": True,
}
LEAVE: dict[str, Any] = {
    "page_title": "Leave",
    "user": ACCOUNT["user"],
    "host": "bsky.social",
    "held_until": 1797861900.0,
    "notice": None,
}
GOODBYE: dict[str, Any] = {
    "page_title": "Goodbye",
    "username": "alice",
    "held_until": 1797861900.0,
    "hosts": ["bsky.social"],
    "silent_hosts": [],
}
SIGNUP: dict[str, Any] = {
    "page_title": "Choose your username",
    "username": "alice",
    "handle": "alice.bsky.social",
    "did": DID,
    "app_name": None,
    "asks_about_apps": True,
    "login": "",
    "change_days": 30,
    "notice": None,
    "waiting_app": None,
}
CONFIRM: dict[str, Any] = {
    "page_title": "Allow this app to sign in?",
    "app_name": "Sketch for Desktop",
    "user_code": "WDJB-MJHT",
    "user": {"username": "alice", "handle": "alice.bsky.social"},
    "did": DID,
    "login": "7758221f571b",
}
LOOP: dict[str, Any] = {
    "page_title": "Signing in goes round in circles",
    "host": "forum.meadow.example",
    "return_to": "https://forum.meadow.example/t/42?page=2",
    "cookie_name": "platform_token",
    "cookie_domain": "meadow.example",
}
ALL_SCOPES = "openid profile email groups offline_access"
REGISTRATION = Registration(
    name="Meadow Wiki",
    redirect_uris=("https://wiki.meadow.example/cb",),
    email="account",
)
CONSENT: dict[str, Any] = {
    "page_title": "Sign in to Meadow Wiki?",
    "app_name": "Meadow Wiki",
    "client_id": "wiki",
    "where": "wiki.meadow.example",
    "tells": [],
    "user": {"username": "alice", "handle": "alice.bsky.social"},
    "did": DID,
    "request_secret": "RXkPOy1dJw",
    "mark": "7758221f571b",
    "return_to": "/oauth/consent?request=RXkPOy1dJw",
}
APP_LINK: dict[str, Any] = {
    "page_title": "Back to the app",
    "url": "com.example.sketch:/cb?code=RXkPOy1dJw&iss=https%3A%2F%2Fid.meadow.example",
    "where": "com.example.sketch",
}
DONE: dict[str, Any] = {
    "page_title": "Signing in to an app",
    "app_name": "Sketch for Desktop",
    "error": None,
}
FACTS: dict[str, str] = {
    "host": "pds.example.com",
    "handle": "alice.example.com",
    "did": DID,
    "suggestion": "alice.example.com",
    "method": "key",
    "username": "alice",
    "platform": "Meadow",
}

TEXTS: ContextVar[NullTranslations] = ContextVar("texts", default=ENGLISH)
"""The language of the messages in samples that are being made."""

# The codes whose place is a form; the others have a page of their own.
AT_LOGIN = {
    "invalid_identifier", "handle_not_found", "account_not_found", "handle_mismatch",
    "host_unreachable", "host_without_oauth", "server_invalid", "access_denied",
}  # fmt: skip
AT_LEAVE = {("invalid_request", "not_confirmed")}
AT_SIGNUP = {"username_taken", "username_invalid", "username_reserved"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """A page with the values that it is shown with."""

    name: str
    template: str
    context: Mapping[str, Any]


def said(code: str, variant: str = "", **facts: str) -> dict[str, Any]:
    """A message as blueprints hand it to a template."""
    retry_after = 24 if variant == "resting" or code == "too_many_requests" else None
    message = message_for(
        code,
        variant=variant,
        retry_after=retry_after,
        return_to=str(LOGIN["return_to"]),
        texts=TEXTS.get(),
        **{**FACTS, **facts},
    )
    return asdict(message) | {"reference": REFERENCE if code in REFERRED else None}


def happened() -> list[dict[str, object]]:
    """Return EVENTS as the account page shows them."""
    return [
        {
            "what": event_in_words(
                AuditEvent(
                    id="", event=name, did=DID, sid=None, detail=detail, created_at=0
                ),
                "Meadow",
            ),
            "when": 1795269900.0 - 9_000 * number,
        }
        for number, (name, detail) in enumerate(EVENTS)
    ]


def login(name: str, **changes: Any) -> Sample:
    return Sample(name=name, template="login.html", context=LOGIN | changes)


def signup(name: str, **changes: Any) -> Sample:
    return Sample(name=name, template="signup.html", context=SIGNUP | changes)


def account(name: str, **changes: Any) -> Sample:
    return Sample(name=name, template="account.html", context=ACCOUNT | changes)


def leave(name: str, **changes: Any) -> Sample:
    return Sample(name=name, template="leave.html", context=LEAVE | changes)


def goodbye(name: str, **changes: Any) -> Sample:
    return Sample(name=name, template="left.html", context=GOODBYE | changes)


def upgrade(name: str, **changes: Any) -> Sample:
    return Sample(name=name, template="upgrade.html", context=UPGRADE | changes)


def confirm(name: str, **changes: Any) -> Sample:
    return Sample(name=name, template="confirm.html", context=CONFIRM | changes)


def done(name: str, outcome: str, **changes: Any) -> Sample:
    context = DONE | {"outcome": outcome} | changes
    return Sample(name=name, template="native_done.html", context=context)


def signups() -> Iterator[Sample]:
    yield signup("signup-before-an-app", waiting_app=WAITING_APP)
    yield signup("signup-for-good", change_days=0)
    yield signup("signup-once-a-day", change_days=1)
    yield signup("signup-without-handle", handle=None, username="")
    yield signup("signup-for-an-app", app_name="Sketch", login="7758221f571b")


def pages() -> Iterator[Sample]:
    """Every page without an error."""
    user = {"username": "alice", "handle": "alice.bsky.social", "did": DID}
    yield login("login")
    yield login("login-remembered", remembered=REMEMBERED)
    yield login("login-hosts", signup_hosts=HOSTS)
    yield login("login-invited", is_invited=True)
    yield login("login-app", app=WAITING_APP, return_to="/oauth/consent?request=s")
    yield login("login-no-hosts", signup_hosts=[], example="alice.example.com")
    yield login(
        "login-email",
        identifier="alice@mail.test",
        is_email=True,
        notice=said("invalid_identifier", "address"),
    )
    yield login("login-ended", notice=end_notice(ENDED))
    yield login("login-no-typeahead", has_typeahead=False)
    yield login("login-create", prompt="create")
    yield login("login-create-hosts", prompt="create", signup_hosts=HOSTS)
    yield login("login-again", prompt="login", signed_in=user, remembered=REMEMBERED)
    yield signup("signup")
    yield from signups()
    yield confirm("confirm")
    yield confirm("confirm-hostile", app_name="<script>\u05d0 alert(1)</script>")
    yield confirm("confirm-without-handle", user=user | {"handle": None})
    for outcome in ("allowed", "denied"):
        yield done(f"native-{outcome}", outcome)
    yield done("native-cancelled", "denied", app_name=None, error=said("access_denied"))
    over = said("login_expired", "native")
    yield done("native-expired", "expired", app_name=None, error=over)
    for cause in ("domain", "two_cookies", "no_cookie", "clock"):
        looping = LOOP | {"cause": cause}
        yield Sample(name=f"loop-{cause}", template="loop.html", context=looping)
    refused = {
        "page_title": "You cannot open this page",
        "page_origin": "",
        "other_account": "/auth/login?prompt=select_account",
        "error": said("not_allowed_here"),
    }
    yield Sample(name="refused", template="refused.html", context=refused)


def to_apps() -> Iterator[Sample]:
    """The way to an app that signs people in through the platform."""
    consent = CONSENT | {"tells": told(ALL_SCOPES, REGISTRATION)}
    for name, changes in (
        ("consent", {}),
        ("consent-hostile", {"app_name": "<script>\u05d0 alert(1)</script>"}),
        ("consent-without-handle", {"user": CONSENT["user"] | {"handle": None}}),
        (
            "long-consent",
            {
                "app_name": "W" * 64,
                "client_id": "w" * 64,
                "where": LONG_HOST,
                "user": {"username": "a" * 32, "handle": LONG_HANDLE},
                "did": "did:web:" + LONG_HANDLE,
            },
        ),
    ):
        yield Sample(name=name, template="consent.html", context=consent | changes)
    refused = {"page_title": "Your account cannot use Meadow Wiki"}
    yield Sample(
        name="not-allowed", template="not_allowed.html", context=CONSENT | refused
    )
    yield Sample(
        name="long-not-allowed",
        template="not_allowed.html",
        context=CONSENT | refused | {"app_name": "W" * 64, "where": LONG_HOST},
    )
    yield Sample(name="app-link", template="app_link.html", context=APP_LINK)


def signing_out() -> Iterator[Sample]:
    """Before and after a sign-out."""
    user = {"username": "alice", "handle": "alice.bsky.social"}
    leaving = {"page_title": "Sign out", "return_to": "", "user": user}
    for name, is_from_a_stranger in (
        ("logout", False),
        ("logout-from-elsewhere", True),
    ):
        asked = leaving | {"is_from_a_stranger": is_from_a_stranger}
        yield Sample(name=name, template="logout.html", context=asked)
    left = {
        "page_title": "Signed out",
        "return_to": "",
        "host": "bsky.social",
        "is_asked": True,
        "is_answered": True,
        "is_ended": True,
        "return_host": None,
    }
    yield Sample(name="signed-out", template="signed_out.html", context=left)
    yield Sample(
        name="signed-out-with-a-way-back",
        template="signed_out.html",
        context=left
        | {
            "return_to": "https://app.example.org/",
            "return_host": "app.example.org",
        },
    )
    yield Sample(
        name="signed-out-access-stays",
        template="signed_out.html",
        context=left | {"is_asked": False},
    )
    yield Sample(
        name="signed-out-host-is-down",
        template="signed_out.html",
        context=left | {"is_answered": False},
    )
    yield Sample(
        name="signed-out-only-here",
        template="signed_out.html",
        context=left | {"host": None},
    )
    yield Sample(
        name="signed-out-not-ended",
        template="signed_out.html",
        context=left | {"host": None, "is_ended": False},
    )


def signed_in() -> Iterator[Sample]:
    """What a person who is signed in sees and decides."""
    phone = PHONE | {
        "name": name_of_device(IPHONE),
        "permissions": word_by_word(UPGRADE["scope"]),
    }
    yield account("account")
    yield account("account-devices", others=[phone, APP])
    yield account("account-moved", moved_from="eurosky.example")
    yield account("account-ended", ended="one", others=[APP])
    apps = [app | {"tells": told(ALL_SCOPES, REGISTRATION)} for app in APPS]
    yield account("account-apps", apps=apps)
    yield account("account-apps-removed", apps=apps[:1], done="apps")
    yield account("account-events", events=happened(), others=[phone])
    yield account("account-username-changed", done="username", may_change=False)
    yield account("account-no-changes", may_change=False, may_change_at=None)
    yield account("account-handle-found", done="handle")
    yield account(
        "account-handle-missing", done="handle", user=ACCOUNT["user"] | {"handle": None}
    )
    yield account(
        "account-permission-withdrawn",
        done="permission",
        here=LAPTOP | {"is_connected": False},
    )
    yield account("account-others-remembered", remembered=REMEMBERED)
    yield Sample(
        name="events",
        template="events.html",
        context=EVENT_PAGE | {"events": happened()},
    )
    yield Sample(
        name="events-none",
        template="events.html",
        context=EVENT_PAGE | {"older": "", "is_first": False},
    )
    yield leave("leave")
    yield leave("leave-without-handle", user=ACCOUNT["user"] | {"handle": None})
    yield goodbye("left")
    yield goodbye("left-without-grants", hosts=[])
    yield goodbye("left-while-a-host-is-down", hosts=[], silent_hosts=["bsky.social"])
    asks = in_words(UPGRADE["scope"])
    yield upgrade("upgrade", asks=asks)
    yield upgrade(
        "upgrade-again", asks=asks, is_over=True, page_title="Connect again", host=None
    )
    yield upgrade("upgrade-failed", asks=asks, notice=said("host_unreachable"))


def long_names() -> Iterator[Sample]:
    """The same pages under names as long as the protocol allows."""
    user = {
        "username": "a" * 32,
        "handle": LONG_HANDLE,
        "did": "did:web:" + LONG_HANDLE,
    }
    known = {"handle": LONG_HANDLE, "did": DID, "host": LONG_HOST}
    unnamed = {"handle": None, "did": "did:web:" + LONG_HANDLE, "host": None}
    notice = said("handle_not_found", handle=LONG_HANDLE)
    failing = said("host_unreachable", "failing", host=LONG_HOST)
    yield login(
        "long-login",
        identifier=LONG_HANDLE,
        remembered=[known, unnamed],
        notice=notice,
    )
    yield login("long-host", identifier=LONG_HANDLE, notice=failing)
    yield upgrade(
        "long-upgrade",
        user={"username": "a" * 32, "handle": LONG_HANDLE},
        host=LONG_HOST,
        asks=[f"change your public records of {LONG_HOST}"],
    )
    yield signup("long-signup", username="a" * 32, handle=LONG_HANDLE, did=user["did"])
    yield confirm("long-confirm", app_name="W" * 64, user=user, did=user["did"])
    yield done("long-native", "allowed", app_name="W" * 64)
    endless = PHONE | {
        "name": "x" * 60,
        "permissions": [{"word": "x", "phrase": LONG_HOST}],
    }
    events = [{"what": f"Signed in an app: {'W' * 64}", "when": 1795269900.0}]
    yield account("long-account", user=user, others=[endless], events=events)
    yield leave("long-leave", user=user)
    yield goodbye("long-left", username="a" * 32, hosts=[LONG_HOST, "bsky.social"])
    left = {
        "page_title": "Signed out",
        "return_to": "",
        "host": LONG_HOST,
        "is_asked": True,
        "is_answered": True,
        "is_ended": True,
        "return_host": None,
    }
    yield Sample(name="long-signed-out", template="signed_out.html", context=left)
    error = said("account_mismatch", handle=LONG_HANDLE, host=LONG_HOST)
    yield Sample(
        name="long-error",
        template="error.html",
        context={"page_title": "Error", "error": error},
    )


def errors() -> Iterator[Sample]:
    """Every code and variant, on the page where it belongs."""
    for code, variant in MESSAGES:
        name = f"error-{code}-{variant}".rstrip("-")
        words = said(code, variant)
        if code in AT_LOGIN:
            typed = "alice.example.com"
            hint = typed if variant == "email" else None
            yield login(name, identifier=typed, suggestion=hint, notice=words)
        elif code in AT_SIGNUP:
            yield signup(name, notice=words)
        elif (code, variant) in AT_LEAVE:
            yield leave(name, notice=words)
        else:
            context = {"page_title": "Error", "error": words}
            yield Sample(name=name, template="error.html", context=context)


def everything(texts: NullTranslations = ENGLISH) -> list[Sample]:
    """Return all samples, with the messages in the language of `texts`."""
    token = TEXTS.set(texts)
    try:
        return [
            *pages(),
            *signing_out(),
            *signed_in(),
            *to_apps(),
            *long_names(),
            *errors(),
        ]
    finally:
        TEXTS.reset(token)
