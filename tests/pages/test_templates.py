"""What the templates make of their context, without a browser."""

import re
from functools import cache

import pytest
from flask import Flask

from app.failures.texts import REFERRED
from tests.pages.markup import Page
from tests.pages.preview import create_preview
from tests.pages.samples import (
    ACCOUNT,
    APP_LINK,
    CONFIRM,
    CONSENT,
    DID,
    DONE,
    EVENT_PAGE,
    GOODBYE,
    LAPTOP,
    LEAVE,
    LOGIN,
    SIGNUP,
    UPGRADE,
    WAITING_APP,
    everything,
    said,
)

SAMPLES = everything()
NAMES = [sample.name for sample in SAMPLES]
RETURN_TO = {"return_to": LOGIN["return_to"]}
UNEXPLAINED = re.compile(
    r"\b(PDS(?!\.)|DPoP|PAR|JSON|HTTP|OAuth|issuer|nonce|scope|metadata|token|endpoint"
    r"|client|callback|origin|grant|forbidden|unauthorized)\b",
    re.IGNORECASE,
)
"""Words that no page uses; test_messages.py has those of the errors."""
every_page = pytest.mark.parametrize("name", NAMES)


@pytest.fixture(scope="module")
def client():
    return create_preview().test_client()


@pytest.fixture(scope="module")
def read(client):
    """Return a function that reads the page of a sample, rendered once."""

    @cache
    def read(name: str) -> Page:
        return Page(client.get(f"/{name}").text)

    return read


@cache
def preview() -> Flask:
    """Return one application, with its compiled templates."""
    return create_preview()


def render(template: str, **context) -> str:
    app = preview()
    with app.test_request_context():
        return app.jinja_env.get_template(template).render(context)


def forms(page: Page) -> dict[str, dict[str, str]]:
    return {form.button: form.fields for form in page.forms}


# --- every page ------------------------------------------------------------------


@every_page
def test_nothing_of_a_page_breaks_the_strict_policy(read, name):
    page = read(name)

    assert not page.all("style")
    assert page.one("script").text == ""
    for element in page.elements:
        assert not [a for a in element.attributes if a == "style" or a.startswith("on")]


@every_page
def test_a_page_loads_and_links_nothing_from_another_host(read, name):
    for element in read(name).elements:
        for attribute in ("href", "src", "action"):
            address = element.attributes.get(attribute, "/")
            assert address.startswith(("/", WAY_BACK, APP_LINK["url"]))


@every_page
def test_a_page_has_one_heading_one_main_and_a_title_of_its_own(read, name):
    page = read(name)

    assert page.one("h1").text.strip()
    assert page.one("main")
    assert re.fullmatch(r"\S.* · Meadow", page.one("title").text)


@every_page
def test_sentences_of_a_paragraph_are_apart(read, name):
    for paragraph in read(name).all("p"):
        assert not re.search(r"\w\)?[.!?][A-Z]", paragraph.text)


@pytest.mark.parametrize("name", [n for n in NAMES if not n.startswith("error-")])
def test_page_has_no_protocol_terms(read, name):
    main = read(name).one("main")

    assert not UNEXPLAINED.findall(main.text)


@every_page
def test_labels_and_descriptions_point_to_what_is_there(read, name):
    page = read(name)

    for element in page.elements:
        named = [
            element.attributes.get("for"),
            element.attributes.get("aria-labelledby"),
        ]
        named += element.attributes.get("aria-describedby", "").split()
        assert {target for target in named if target} <= page.ids


@every_page
def test_every_form_posts_and_has_a_labelled_button(read, name):
    for form in read(name).forms:
        assert form.method == "post"
        assert form.button


@pytest.mark.parametrize("name", [name for name in NAMES if name.startswith("error-")])
def test_error_page_has_its_code_on_main_and_a_reference_where_it_helps(read, name):
    page = read(name)

    code = page.one("main").attributes["data-error"]
    assert name.removeprefix("error-").startswith(code)
    is_shown = "Reference 7f3k-92qd" in " ".join(page.one("main").text.split())
    assert is_shown == (code in REFERRED)


@pytest.mark.parametrize(
    ("days", "said"),
    [
        (0, "You cannot change it later."),
        (1, "at most once a day."),
        (30, "at most once in 30 days."),
    ],
)
def test_sign_up_counts_days_in_the_plural_of_the_language(days, said):
    page = Page(render("signup.html", **SIGNUP | {"change_days": days}))

    assert said in " ".join(page.one("main").text.split())


# --- what comes from outside -------------------------------------------------------

HOSTILE = "\"><script>alert(1)</script>'{{ 7 * 7 }}"
WAY_BACK = "https://app.example.org/"
"""A host of the platform to which a signed-out person returns."""

LEFT = {"host": HOSTILE, "is_ended": True, "is_answered": True, "return_host": None}
KNOWN = {"did": HOSTILE, "handle": None, "host": HOSTILE}
STRANGE = LAPTOP | {
    "sid": HOSTILE,
    "name": HOSTILE,
    "permissions": [{"word": HOSTILE, "phrase": HOSTILE}],
}
NOTICE = {
    "code": "internal",
    "title": HOSTILE,
    "text": HOSTILE,
    "tone": "error",
    "reference": HOSTILE,
    "next_step": {"label": HOSTILE, "href": "/auth/login"},
}


@pytest.mark.parametrize(
    ("template", "changes"),
    [
        ("error.html", {"error": NOTICE}),
        ("login.html", {"notice": NOTICE, "identifier": HOSTILE, "return_to": HOSTILE}),
        ("login.html", {"prompt": HOSTILE, "scope": HOSTILE, "handle_suffix": HOSTILE}),
        ("login.html", {"signup_hosts": [{"url": HOSTILE, "name": HOSTILE}]}),
        ("login.html", {"remembered": [KNOWN]}),
        ("login.html", {"app": dict.fromkeys(WAITING_APP, HOSTILE)}),
        ("login.html", {"signed_in": {"username": HOSTILE, "handle": HOSTILE}}),
        ("account.html", ACCOUNT | {"moved_from": HOSTILE}),
        ("account.html", ACCOUNT | {"others": [STRANGE], "here": STRANGE}),
        ("account.html", ACCOUNT | {"typed": HOSTILE}),
        ("events.html", EVENT_PAGE | {"older": HOSTILE}),
        ("account.html", ACCOUNT | {"events": [{"what": HOSTILE, "when": 0.0}]}),
        ("leave.html", LEAVE | {"user": ACCOUNT["user"] | {"username": HOSTILE}}),
        ("left.html", GOODBYE
            | {"username": HOSTILE, "hosts": [HOSTILE], "silent_hosts": [HOSTILE]}),
        ("upgrade.html", UPGRADE | {"host": HOSTILE, "asks": [HOSTILE]}),
        ("upgrade.html", UPGRADE | {"did": HOSTILE, "scope": HOSTILE}),
        ("upgrade.html", UPGRADE | {"user": {"username": HOSTILE, "handle": HOSTILE}}),
        ("signup.html", SIGNUP | {"username": HOSTILE, "handle": HOSTILE}),
        ("signup.html", SIGNUP | {"app_name": HOSTILE, "login": HOSTILE}),
        ("confirm.html", CONFIRM | {"app_name": HOSTILE, "user_code": HOSTILE}),
        ("confirm.html", CONFIRM | {"login": HOSTILE, "did": HOSTILE}),
        ("consent.html", CONSENT | {"app_name": HOSTILE, "where": HOSTILE}),
        ("consent.html", CONSENT | {"client_id": HOSTILE, "tells": [HOSTILE]}),
        ("consent.html", CONSENT | {"mark": HOSTILE, "request_secret": HOSTILE}),
        ("not_allowed.html", CONSENT | {"app_name": HOSTILE, "where": HOSTILE}),
        ("app_link.html", APP_LINK | {"url": HOSTILE, "where": HOSTILE}),
        ("native_done.html", DONE | {"outcome": "denied", "app_name": HOSTILE}),
        (
            "logout.html",
            {
                "user": {"username": HOSTILE, "handle": HOSTILE},
                "is_from_a_stranger": True,
            },
        ),
        ("signed_out.html", LEFT | {"is_asked": True}),
        ("signed_out.html", LEFT | {"is_asked": False}),
        ("signed_out.html", LEFT | {"is_asked": True, "is_answered": False}),
    ],
)  # fmt: skip
def test_text_from_outside_is_escaped(template, changes):
    context = LOGIN | {"page_title": HOSTILE} | changes

    html = render(template, **context)

    assert HOSTILE not in html
    assert len(Page(html).all("script")) == 1


# --- the sign-in form ----------------------------------------------------------------


def test_each_button_of_the_sign_in_page_sends_a_clean_set(read):
    assert forms(read("login")) == {
        "Sign in": {"identifier": "", **RETURN_TO},
        "I don't remember my handle Continue at bsky.social": {
            "identifier": "https://bsky.social",
            **RETURN_TO,
        },
        "Create an account at bsky.social": {
            "identifier": "https://bsky.social",
            "prompt": "create",
            **RETURN_TO,
        },
    }


def test_a_remembered_account_is_one_press_and_can_be_forgotten(read):
    sent = forms(read("login-again"))

    rest = {**RETURN_TO, "prompt": "login"}
    assert sent["alice.bsky.social Continue at bsky.social"] == {
        "identifier": "alice.bsky.social",
        **rest,
    }
    forget = "Not me: forget alice.bsky.social on this device"
    assert sent[forget] == {"forget": DID, **rest}


def test_an_account_without_a_handle_is_remembered_by_its_did():
    account = {"handle": None, "did": DID, "host": None}

    page = Page(render("login.html", **LOGIN | {"remembered": [account]}))

    assert forms(page)[DID] == {"identifier": DID, **RETURN_TO}


def test_several_hosts_are_a_choice_of_one_press_each(read):
    page = read("login-hosts")

    urls = [form.fields["identifier"] for form in page.forms if "prompt" in form.fields]
    assert len(urls) == 3
    assert [summary.text for summary in page.all("summary")][:2] == [
        "I don't remember my handle",
        "Create an account",
    ]


def test_create_account_page_offers_to_sign_in_too(read):
    sent = forms(read("login-create"))

    assert sent["Create it at bsky.social"]["prompt"] == "create"
    assert sent["Sign in"] == {"identifier": "", **RETURN_TO}


def test_a_scope_is_carried_by_every_way_to_sign_in():
    page = Page(render("login.html", **LOGIN | {"scope": "atproto repo:x.y.z"}))

    assert {form.fields["scope"] for form in page.forms} == {"atproto repo:x.y.z"}


def test_the_field_suits_a_handle(read):
    (entry,) = (e for e in read("login").all("input") if e.attributes.get("id"))

    expected = {
        "type": "text",
        "name": "identifier",
        "inputmode": "url",
        "autocapitalize": "none",
        "autocorrect": "off",
        "spellcheck": "false",
        "autocomplete": "username",
    }
    assert expected.items() <= entry.attributes.items()
    assert "placeholder" not in entry.attributes


@pytest.mark.parametrize(
    ("name", "invalid"),
    [
        ("error-handle_not_found", True),
        ("error-host_unreachable", False),
        ("error-access_denied", False),
        ("error-invalid_identifier-email", False),
    ],
)
def test_identifier_field_is_invalid_only_for_its_own_errors(read, name, invalid):
    (entry,) = (e for e in read(name).all("input") if e.attributes.get("id"))

    assert ("aria-invalid" in entry.attributes) is invalid
    assert "notice" in entry.attributes["aria-describedby"].split()
    assert entry.attributes["value"] == "alice.example.com"


# --- the others ----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("code", "variant", "invalid"),
    [("invalid_request", "not_confirmed", True), ("host_unreachable", "", False)],
)
def test_typed_username_is_invalid_only_when_it_does_not_match(code, variant, invalid):
    page = Page(render("leave.html", **LEAVE | {"notice": said(code, variant)}))
    (field,) = (e for e in page.all("input") if e.attributes.get("id") == "username")

    assert ("aria-invalid" in field.attributes) == invalid
    assert field.attributes["aria-describedby"] == "notice"


def test_what_is_wrong_with_leaving_stands_right_before_its_form():
    html = render("leave.html", **LEAVE | {"notice": said("invalid_request")})

    assert html.index("</ul>") < html.index('id="notice"') < html.index("<form")


def test_sign_up_sends_the_username_alone_and_leads_out_for_another_account(read):
    page = read("signup")

    assert [(form.action, form.fields) for form in page.forms] == [
        ("/auth/signup", {"username": "alice"}),
        ("/auth/logout", {}),
    ]


def test_sign_up_before_an_app_has_the_way_back_to_it(read):
    *_, back = read("signup-before-an-app").forms

    assert (back.action, back.fields) == ("/oauth/consent", {"request": "s"})


def test_sign_up_names_the_proved_did_when_no_handle_is_sure(read):
    assert DID in read("signup-without-handle").all("p")[1].text


@pytest.mark.parametrize(
    ("username", "fits"),
    [
        ("alice", True),
        ("Alice-2", True),
        ("a-b-c", True),
        ("-alice", False),
        ("alice-", False),
        ("al--ice", False),
        ("al.ice", False),
        ("ålice", False),
    ],
)
def test_the_browser_is_told_the_grammar_of_usernames(read, username, fits):
    (entry,) = (e for e in read("signup").all("input") if e.attributes.get("id"))

    assert bool(re.fullmatch(entry.attributes["pattern"], username)) is fits
    assert (entry.attributes["minlength"], entry.attributes["maxlength"]) == ("3", "32")


def test_signing_out_claims_no_more_than_was_done(read):
    asked = read("signed-out").one("main").text
    only_here = read("signed-out-only-here").one("main").text

    assert "bsky.social" in asked
    assert "up to another hour" in asked
    assert "asked" not in only_here


def test_the_account_page_says_until_when_one_is_signed_in(read):
    _looked_up, _since, time = read("account").all("time")

    assert time.attributes["datetime"] == "2026-12-21T14:05:00Z"
    assert time.text == "21 December 2026, 14:05 UTC"
