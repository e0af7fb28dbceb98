from __future__ import annotations

import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.atproto.syntax.grammar import parse_handle
from app.flows.errors import UsernameInvalid, UsernameReserved
from app.flows.people.signup.usernames import (
    MAX_LENGTH,
    MIN_LENGTH,
    SHIPPED,
    Usernames,
    parse_username,
    skeleton,
)

RULES = Usernames.load()
LETTERS = st.text(string.ascii_lowercase + string.digits, min_size=3, max_size=10)
NAMES = st.lists(LETTERS, min_size=1, max_size=3).map("-".join)


def none_taken(_skeletons):
    return frozenset()


# --- grammar --------------------------------------------------------------------------


@given(NAMES)
def test_every_name_of_the_grammar_is_read_as_it_is(name):
    assert parse_username(name).username == name
    assert parse_username(name).skeleton == skeleton(name)


@given(NAMES, st.sampled_from(["", " ", "\t", "\n", "\r\n  "]))
def test_capitals_are_folded_and_white_space_around_is_dropped(name, space):
    assert parse_username(f"{space}{name.upper()}{space}").username == name


@given(st.text())
def test_parsed_username_follows_the_grammar(text):
    try:
        name = parse_username(text).username
    except UsernameInvalid:
        return
    assert MIN_LENGTH <= len(name) <= MAX_LENGTH
    assert set(name) <= set(string.ascii_lowercase + string.digits + "-")
    assert "--" not in name
    assert name.strip("-") == name


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "characters"),
        ("al ice", "characters"),
        ("alice.test", "characters"),
        ("al_ice", "characters"),
        ("älice", "characters"),
        ("\N{KELVIN SIGN}elvin", "characters"),
        ("\N{CYRILLIC SMALL LETTER A}lice", "characters"),
        ("alice\x00", "characters"),
        ("\N{FULLWIDTH DIGIT ONE}23", "characters"),
        ("-alice", "hyphens"),
        ("alice-", "hyphens"),
        ("al--ice", "hyphens"),
        ("---", "hyphens"),
        ("al", "too_short"),
        ("a" * 33, "too_long"),
    ],
)
def test_parse_username_returns_the_reason_of_a_refusal(text, reason):
    with pytest.raises(UsernameInvalid) as refused:
        parse_username(text)

    assert refused.value.reason == reason


@pytest.mark.parametrize("name", ["abc", "a" * 32, "007", "a-b-c"])
def test_the_shortest_and_the_longest_names_pass(name):
    assert parse_username(name).username == name


# --- look-alikes ----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("bob", "b0b"),
        ("alice", "a1ice"),
        ("alice", "aiice"),
        ("max", "rnax"),
        ("will", "vvill"),
        ("vvv", "wv"),
        ("wv", "vw"),
        ("simon", "5imon"),
        ("zoe", "2oe"),
        ("bob", "6ob"),
        ("greg", "9reg"),
    ],
)
def test_names_that_look_alike_have_one_skeleton(one, other):
    assert skeleton(one) == skeleton(other)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("clara", "dara"),
        ("lucia", "luda"),
        ("born-1986", "born-1988"),
        ("bob-smith", "bobsmith"),
        ("uma", "vma"),
        ("jan", "lan"),
    ],
)
def test_names_that_people_tell_apart_have_two(one, other):
    assert skeleton(one) != skeleton(other)


@given(NAMES)
def test_a_skeleton_is_its_own_skeleton(name):
    assert skeleton(skeleton(name)) == skeleton(name)


LOOK_ALIKES = [("0", "o"), ("1", "l"), ("i", "l"), ("rn", "m"), ("vv", "w"), ("5", "s")]


@given(st.text("rnvmwloi105s-"), st.sampled_from(LOOK_ALIKES), st.text("rnvmwl1-"))
def test_exchanging_look_alikes_anywhere_leaves_the_skeleton(before, pair, after):
    one, other = (f"{before}{variant}{after}" for variant in pair)

    assert skeleton(one) == skeleton(other)


# --- reserved names -------------------------------------------------------------------


@pytest.mark.parametrize(
    "name",
    ["admin", "root", "support", "www", "api", "auth", "login", "staff", "atproto"],
)
def test_names_that_could_pass_for_the_platform_are_kept_back(name):
    with pytest.raises(UsernameReserved):
        RULES.parse(name)


@pytest.mark.parametrize(
    "name", ["ADMIN", "adm1n", "4dmin", "ad-min", "adrnin", "r00t", "log-in", "l0g1n"]
)
def test_look_alike_of_a_reserved_name_is_reserved(name):
    with pytest.raises(UsernameReserved):
        RULES.parse(name)


@pytest.mark.parametrize(
    "name", ["alice", "admiral", "roots", "apis-mellifera", "loginov"]
)
def test_names_that_only_contain_a_reserved_one_are_for_people(name):
    assert RULES.parse(name).username == name


def test_an_operator_adds_names_of_any_spelling():
    rules = Usernames.load(["Acme-Corp"])

    with pytest.raises(UsernameReserved):
        rules.parse("acmec0rp")
    with pytest.raises(UsernameReserved):
        rules.parse("admin")
    assert RULES.parse("acme-corp").username == "acme-corp"


def test_shipped_reserved_names_are_valid_usernames():
    lines = SHIPPED.read_text().splitlines()
    names = [line for line in lines if line and not line.startswith("#")]

    assert len(names) > 300
    assert sorted(set(names)) == sorted(names)
    for name in names:
        assert parse_username(name).username == name


# --- suggestions ----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("handle", "suggestion"),
    [
        ("alice.bsky.social", "alice"),
        ("alice-b.example.com", "alice-b"),
        ("a--b--c.example.com", "a-b-c"),
        ("xn--mller-kva.example.com", "muller"),
        ("admin.example.com", "admin-example"),
        ("jo.example.com", "jo-example"),
        ("jo.com", "jo2"),
        ("x.com", "x10"),
        (f"{'a' * 63}.example.com", "a" * 32),
        (f"{'a' * 31}-b.example.com", "a" * 31),
    ],
)
def test_a_name_is_suggested_from_the_first_label(handle, suggestion):
    assert RULES.suggest(parse_handle(handle), none_taken) == suggestion


@pytest.mark.parametrize("handle", [None, "xn--fiq228c.com", "xn--99999999.com"])
def test_nothing_is_suggested_where_nothing_can_be_read(handle):
    assert RULES.suggest(handle, none_taken) == ""


@pytest.mark.parametrize(
    ("handle", "taken", "suggestion"),
    [
        ("alice.test", ["alice"], "alice2"),
        ("alice.test", ["a1ice", "alice2"], "alice3"),
        ("bob5.test", ["bobs"], "bob5-2"),
        (f"{'a' * 40}.test", ["a" * 32], "a" * 31 + "2"),
    ],
)
def test_when_the_name_is_taken_a_numbered_one_is_suggested(handle, taken, suggestion):
    bones = {skeleton(name) for name in taken}

    assert RULES.suggest(handle, bones.intersection) == suggestion


def test_when_all_alternatives_are_taken_nothing_is_suggested():
    assert RULES.suggest("alice.test", frozenset) == ""


def test_the_storage_is_asked_once():
    asked = []

    def taken(skeletons):
        asked.append(skeletons)
        return skeletons

    RULES.suggest("alice.test", taken)

    assert len(asked) == 1


def test_the_storage_is_not_asked_about_nothing():
    def taken(_skeletons):
        raise AssertionError

    assert RULES.suggest(None, taken) == ""


LABELS = st.text(string.ascii_lowercase + string.digits + "-", min_size=1, max_size=63)


@given(st.lists(LABELS, min_size=1, max_size=3), st.integers(0, 120))
def test_suggestion_for_any_handle_can_be_chosen(labels, occupied):
    def taken(skeletons):
        return list(skeletons)[:occupied]

    suggestion = RULES.suggest(".".join([*labels, "test"]), taken)

    if suggestion:
        assert RULES.parse(suggestion).username == suggestion
