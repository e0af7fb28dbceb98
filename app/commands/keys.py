"""`flask --app wsgi keys`: list, rotate, drop and import signing keys."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import get_args

import click

from app.atproto.crypto.keys import Algorithm
from app.flows.counted import counted
from app.flows.keys.drop import Consequences
from app.flows.keys.life_cycle import RINGS, signs_at
from app.flows.keys.listing import KeyState
from app.flows.operator import Operator
from app.flows.ports import Ring, StoredKey

from .administration import Administration, in_one_line
from .framework.acting import TAKES_ID, confirm, with_operator, yes_option
from .framework.output import at, meaning, print_record, print_records, prints
from .framework.private_key_file import key_file_argument, read_private_key

RING = click.argument("ring", type=click.Choice(RINGS))

SIGNS_UNKNOWN: dict[Ring, str] = {
    "platform": (
        "The next key signs tokens at once. Services keep our JWKS for up to 15 "
        "minutes; one that does not fetch it again for an unknown key refuses the new "
        "tokens until then."
    ),
    "client": (
        "The next key authenticates us at once. Authorization servers keep our "
        "metadata for ten minutes or longer; sign-ins at a server that knows us may "
        "fail until it fetches the metadata again."
    ),
}
"""What breaks when a key signs before every cache knows it."""


@dataclass(frozen=True)
class KeyLine:
    """One signing key."""

    ring: str = meaning("`platform` signs tokens, `client` authenticates us at hosts")
    kid: str = meaning("key id")
    alg: str = meaning("algorithm")
    status: str = meaning("`next`, `active` or `retired`")
    age: str = meaning("since it was made or imported")
    signs_from: datetime | None = meaning("when it began to sign, or will")
    signs_until: datetime | None = meaning("when it was retired")
    ends_at: datetime | None = meaning(
        "when the last token of a retired platform key ends; then the sweep deletes it"
    )
    sessions: int | None = meaning(
        "sessions at hosts that are bound to a client key; a retired one without any "
        "is deleted by the sweep"
    )


@dataclass(frozen=True)
class NewKey:
    """A key that joined its ring, or that signs now."""

    ring: str = meaning("`platform` or `client`")
    kid: str = meaning("key id")
    alg: str = meaning("algorithm")
    status: str = meaning("`next` or `active`")
    signs_from: datetime | None = meaning("when it signs")


@dataclass(frozen=True)
class DroppedKey:
    """A key that is gone, and what ended with it."""

    ring: str = meaning("`platform` or `client`")
    kid: str = meaning("key id")
    status: str = meaning("what it was: `next`, `active` or `retired`")
    tokens: int = meaning("platform tokens that ended, at most")
    sessions: int = meaning("sessions at hosts that end at their next refresh")
    logins: int = meaning("logins under way that have to begin again")


def group(administration: Administration) -> click.Group:
    """Return the group of commands."""
    keys = click.Group("keys", help="The two key rings; only public facts are shown.")
    for command in (_list, _rotate, _import, _drop):
        keys.add_command(command(administration))
    return keys


def _list(administration: Administration) -> click.Command:
    @prints(KeyLine)
    @click.command("list")
    def list_keys() -> None:
        """List the signing keys of both rings."""
        keys = administration.keys
        states = in_one_line(keys.list)
        now = keys.list.clock()
        print_records(_line(state, now) for state in states)

    return list_keys


def _rotate(administration: Administration) -> click.Command:
    @prints(NewKey)
    @click.command("rotate")
    @RING
    @click.option("--now", "at_once", is_flag=True, help="Let the key sign at once.")
    @click.option(
        "--alg",
        type=click.Choice(get_args(Algorithm)),
        help="RS256: the key of id_tokens, beside a ring of another TOKEN_ALGORITHM.",
    )
    @yes_option
    @with_operator
    def rotate(
        *,
        ring: Ring,
        at_once: bool,
        alg: Algorithm | None,
        yes: bool,
        operator: Operator,
    ) -> None:
        """Publish a next key for a ring; it signs by itself later.

        A platform key signs 15 minutes after it was published, a client key after an
        hour: then every cache knows it. The key before it stays published until nothing
        that it signed is valid. `--now` also takes a next key that waits already.
        """
        if at_once:
            confirm(SIGNS_UNKNOWN[ring], yes=yes)
        _print_new(
            lambda: administration.keys.rotate.rotate(
                ring, at_once=at_once, alg=alg, operator=operator
            )
        )

    return rotate


def _import(administration: Administration) -> click.Command:
    @prints(NewKey)
    @click.command("import")
    @RING
    @key_file_argument
    @click.option("--now", "at_once", is_flag=True, help="Let the key sign at once.")
    @yes_option
    @with_operator
    def import_key(
        *, ring: Ring, file: str, at_once: bool, yes: bool, operator: Operator
    ) -> None:
        """Publish a private key of your own as the next one of a ring.

        FILE holds PKCS#8 PEM or a JWK; `-` reads standard input. A file that other
        users of this machine can read is refused. The key signs by itself as a key of
        `keys rotate` does.
        """
        raw = in_one_line(lambda: read_private_key(file, refuse=True))
        if at_once:
            confirm(SIGNS_UNKNOWN[ring], yes=yes)
        _print_new(
            lambda: administration.keys.rotate.import_key(
                ring, raw, at_once=at_once, operator=operator
            )
        )

    return import_key


def _drop(administration: Administration) -> click.Command:
    @prints(DroppedKey)
    @click.command("drop", context_settings=TAKES_ID)
    @RING
    @click.argument("kid")
    @yes_option
    @with_operator
    def drop(*, ring: Ring, kid: str, yes: bool, operator: Operator) -> None:
        """Delete a key that may have leaked; every process follows in 10 seconds.

        If it signed, the next key signs at once, or a new one. The key never joins a
        ring again, also if a setting names its file.
        """
        keys = administration.keys
        ends = in_one_line(lambda: keys.drop.consequences(ring, kid))
        confirm(_what_ends(ring, kid, ends), yes=yes)
        ended = in_one_line(lambda: keys.drop(ring, kid, operator=operator))
        print_record(
            DroppedKey(
                ring=ring,
                kid=kid,
                status=ended.status,
                tokens=ended.tokens,
                sessions=ended.sessions,
                logins=ended.logins,
            )
        )

    return drop


def _print_new(act: Callable[[], StoredKey]) -> None:
    key = in_one_line(act)
    print_record(
        NewKey(
            ring=key.ring,
            kid=key.kid,
            alg=key.alg,
            status=key.status,
            signs_from=at(_signs_from(key)),
        )
    )


def _line(state: KeyState, now: float) -> KeyLine:
    key = state.stored
    return KeyLine(
        ring=key.ring,
        kid=key.kid,
        alg=key.alg,
        status=key.status,
        age=_age(now - key.created_at),
        signs_from=at(_signs_from(key)),
        signs_until=at(key.retired_at),
        ends_at=at(state.ends_at),
        sessions=state.sessions,
    )


def _signs_from(key: StoredKey) -> float | None:
    return signs_at(key) if key.status == "next" else key.activated_at


def _age(seconds: float) -> str:
    for unit, length in (("d", 86_400), ("h", 3_600), ("m", 60)):
        if seconds >= length:
            return f"{int(seconds // length)}{unit}"
    return f"{int(max(seconds, 0))}s"


def _what_ends(ring: Ring, kid: str, ends: Consequences) -> str:
    lines = [f"The {ends.status} key {kid} of the {ring} ring is deleted for good."]
    if ring == "platform":
        tokens = counted(ends.tokens, "platform token ends", "platform tokens end")
        lines.append(
            f"At most {tokens}. Browsers get a new one without a sign-in; apps sign in "
            "again. A service that verifies offline accepts the key until it fetches "
            "our JWKS again: restart it."
        )
    else:
        at_hosts = ("session at a host ends", "sessions at hosts end")
        logins = counted(ends.logins, "login under way has", "logins under way have")
        lines.append(
            f"{counted(ends.sessions, *at_hosts)}: people stay signed in here, and "
            "sign in again when a service calls their host. "
            f"{logins} to begin again."
        )
    if ends.needs_successor:
        lines.append(SIGNS_UNKNOWN[ring])
    return "\n".join(lines)
