"""The life of the keys, while people are signed in and services verify their tokens.

Keys get older by their rows, because nothing moves the clock of the reference PDS. Its
memory of our metadata, ten minutes, ends by a restart of it.
"""

from __future__ import annotations

import os
import secrets
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from app.stores.people.oauth_sessions import SqlSessionStore
from tests.e2e.key_platform import NOTICED, KeyPlatform, Member, kid_of
from tests.e2e.laboratory import Laboratory
from tests.e2e.verifiers import Verifier, verifiers
from tests.stores.cluster import postgresql

MINUTE, DAY = 60, 86_400
ON_POSTGRESQL = os.environ.get("E2E_DATABASE") == "postgresql"


@pytest.fixture(scope="module")
def platform(prod_like: Laboratory) -> Iterator[KeyPlatform]:
    with ExitStack() as stack:
        url = stack.enter_context(postgresql()) if ON_POSTGRESQL else None
        platform = KeyPlatform.start(prod_like, url)
        yield platform
        assert platform.lab.leaks() == []
        platform.lab.vault.database.close()
        platform.lab.service.program.stop()


@pytest.fixture
def member(platform: KeyPlatform) -> Iterator[Member]:
    with platform.member() as member:
        yield member


@pytest.fixture
def services(platform: KeyPlatform) -> Iterator[list[Verifier]]:
    """A service in Node and one in Python."""
    with verifiers(platform.network, platform.lab.service.url) as services:
        yield services


def eventually(is_so: Callable[[], bool]) -> None:
    """Return as soon as it is so; fail when it is not within NOTICED seconds."""
    deadline = time.monotonic() + NOTICED
    while not is_so():
        assert time.monotonic() < deadline, "not within ten seconds"
        time.sleep(0.2)


def refreshes(platform: KeyPlatform, member: Member, token: str | None = None) -> bool:
    """Tell whether the session at the host is refreshed, by a call that needs it.

    Threads give the `token`: a browser belongs to the thread that opened it.
    """
    platform.end_access(member)
    return platform.calls(token or member.token).status_code == 200


def test_rotated_platform_key_is_known_to_every_service_before_it_signs(
    platform: KeyPlatform, member: Member, services: list[Verifier]
) -> None:
    old, before = platform.signing("platform"), member.token
    assert [one.verify(before) for one in services] == [member.account.did] * 2

    (new,) = platform.command("keys", "rotate", "platform")
    time.sleep(NOTICED)
    for one in services:
        one.later(11 * MINUTE)  # each fetches the JWKS again, and not later
    assert kid_of(member.renews()) == old
    assert [one.verify(member.token) for one in services] == [member.account.did] * 2

    platform.age(15 * MINUTE)
    eventually(lambda: kid_of(member.renews()) == new["kid"])
    for token in (before, member.token):
        assert [one.verify(token) for one in services] == [member.account.did] * 2
        assert platform.verifies(token)
    assert platform.keys("platform")[old] == "retired"

    platform.age(DAY + MINUTE)
    platform.sweep()
    assert old not in platform.keys("platform")
    assert platform.verifies(member.renews())


def test_sessions_at_the_host_outlive_the_rotation_of_the_client_key(
    platform: KeyPlatform, member: Member
) -> None:
    """Requirements 3.18, 7.3: on the reference server, which deletes a session whose
    key is another one (requirement 7.4).
    """
    old = platform.signing("client")
    (new,) = platform.command("keys", "rotate", "client")
    platform.age(60 * MINUTE)
    time.sleep(NOTICED)
    platform.forget_us()

    assert refreshes(platform, member)
    assert platform.bound_to(member) == old
    with platform.member() as newcomer:
        assert platform.bound_to(newcomer) == new["kid"]
        assert refreshes(platform, newcomer)
    platform.age(DAY)
    platform.sweep()
    assert platform.keys("client")[old] == "retired", "a session is bound to it"
    assert refreshes(platform, member)


def test_dropped_platform_key_is_refused_within_ten_seconds_and_signs_no_one_out(
    platform: KeyPlatform, member: Member, services: list[Verifier]
) -> None:
    leaked, old = member.token, platform.signing("platform")
    assert [one.verify(leaked) for one in services] == [member.account.did] * 2

    (ended,) = platform.command("keys", "drop", "platform", old, "--yes")

    assert ended["tokens"] >= 1
    eventually(lambda: not platform.verifies(leaked))
    eventually(lambda: kid_of(member.renews()) != old)
    assert platform.verifies(member.token)
    for one in services:
        one.later(11 * MINUTE)
    assert [one.verify(leaked) for one in services] == [None, None]
    assert [one.verify(member.token) for one in services] == [member.account.did] * 2


def test_dropped_client_key_ends_the_session_at_the_host_and_not_the_one_here(
    platform: KeyPlatform, member: Member
) -> None:
    old = platform.signing("client")

    (ended,) = platform.command("keys", "drop", "client", old, "--yes")
    time.sleep(NOTICED)
    platform.forget_us()

    assert ended["sessions"] >= 1
    assert not refreshes(platform, member)
    assert platform.verifies(member.renews())
    member.visitor.sign_in(member.account, prompt="login")
    assert platform.bound_to(member) != old
    assert refreshes(platform, member)


def test_imported_key_signs_by_itself(
    platform: KeyPlatform, member: Member, tmp_path: Path
) -> None:
    file = tmp_path / "own.pem"
    file.touch(0o600)
    file.write_bytes(
        rsa.generate_private_key(65537, 2048).private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )

    (own,) = platform.command("keys", "import", "platform", str(file))
    platform.age(15 * MINUTE)

    eventually(lambda: kid_of(member.renews()) == own["kid"])
    assert platform.verifies(member.token)


def test_keys_rotate_by_themselves_once_among_all_sweeps(
    platform: KeyPlatform, member: Member
) -> None:
    old = {ring: platform.signing(ring) for ring in ("platform", "client")}
    platform.age(91 * DAY)

    platform.sweep(3)

    for ring, kid in old.items():
        statuses = platform.keys(ring)
        assert statuses[kid] == "active"
        assert list(statuses.values()).count("next") == 1
    platform.age(60 * MINUTE)
    eventually(lambda: kid_of(member.renews()) != old["platform"])
    platform.forget_us()
    assert refreshes(platform, member)


def test_secret_key_is_replaced_and_every_row_resealed_beside_the_service(
    platform: KeyPlatform, member: Member, tmp_path: Path
) -> None:
    former = Path(platform.lab.service.environment["LATCHKEY_SECRET_KEY_FILE"])
    file = tmp_path / "secret-key"
    file.touch(mode=0o600)
    file.write_text(secrets.token_urlsafe(32))
    crowd_of_rows(platform, member, 400)
    both = {
        "LATCHKEY_SECRET_KEY_FILE": str(file),
        "LATCHKEY_SECRET_KEY_FALLBACKS_FILE": str(former),
    }
    platform.restart(both)

    tokens = [member.token] * 2
    resealing = platform.begin("secrets", "reseal")
    with ThreadPoolExecutor(2) as pool:
        while resealing.poll() is None:
            assert all(pool.map(lambda one: refreshes(platform, member, one), tokens))
    assert resealing.communicate()[0]
    assert resealing.returncode == 0

    platform.restart({"LATCHKEY_SECRET_KEY_FILE": str(file)})
    (current,) = platform.command("secrets", "status")
    assert current["rows"] > 400
    assert refreshes(platform, member)
    assert platform.verifies(member.renews())


def crowd_of_rows(platform: KeyPlatform, member: Member, number: int) -> None:
    """Store sessions of people who are not there, so that a reseal takes a while."""
    vault = platform.lab.vault
    (session,) = vault.oauth_sessions(member.account.did)
    store = SqlSessionStore(vault.database, vault.cipher)
    for index in range(number):
        store.put(replace(session, session_id=f"row-{index:04}"))
