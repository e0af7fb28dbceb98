"""What `clients` prints, and the options that name parts of a registration."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any, TypeVar

import click

from app.commands.framework.output import at, meaning
from app.flows.provider.clients import Added
from app.flows.provider.registration import GRANT_TYPES, Client, Registration

Decorated = TypeVar("Decorated", bound=Callable[..., Any])


@dataclass(frozen=True, slots=True)
class ClientAdded:
    """A new client; without `--json` only `configuration` is printed."""

    client_id: str = meaning("names the client")
    client_secret: str | None = meaning(
        "a secret, printed this once; null if public or with keys"
    )
    redirect_uris: tuple[str, ...] = meaning("where people are sent back to")
    allow: tuple[str, ...] = meaning("who may use it")
    scope: str = meaning("the most that it may ask for, and what it gets by default")
    grant_types: tuple[str, ...] = meaning("of its token requests")
    pkce: str = meaning("`required`, or `optional`")
    trusted: bool = meaning("whether people are not asked for consent")
    preset: str = meaning("the app that it was made for")
    configuration: str = meaning("the text to paste into the app's configuration")


@dataclass(frozen=True, slots=True)
class ClientRow:
    """A client in `clients list`."""

    client_id: str = meaning("names the client")
    name: str = meaning("what people read")
    public: bool = meaning("whether it has no secret")
    allow: tuple[str, ...] = meaning("who may use it")
    preset: str = meaning("the app that it was made for")
    disabled: datetime | None = meaning("when it was disabled")


@dataclass(frozen=True, slots=True)
class ClientShown(ClientRow):
    """A client in `clients show`."""

    redirect_uris: tuple[str, ...] = meaning("where people are sent back to")
    post_logout_uris: tuple[str, ...] = meaning("where a sign-out may lead")
    backchannel_logout_uri: str | None = meaning("what is told of a sign-out")
    scope: str = meaning("the most that it may ask for, and what it gets by default")
    grant_types: tuple[str, ...] = meaning("of its token requests")
    pkce: str = meaning("`required`, or `optional`")
    trusted: bool = meaning("whether people are not asked for consent")
    authentication: str = meaning("`none`, `client_secret` or `private_key_jwt`")
    jwks_uri: str | None = meaning("where its public keys are, if not registered")
    email: str = meaning("`none`, `placeholder` or `account`")
    lean_id_token: bool = meaning("whether the id_token has no claims of userinfo")
    secrets: tuple[str, ...] = meaning("ids of its secrets, the oldest first")
    created: datetime | None = meaning("when it was added")
    changed: datetime | None = meaning("when it was last changed")


def added_record(added: Added) -> ClientAdded:
    """Return what `clients add` prints."""
    client, registered = added.client, added.client.registration
    return ClientAdded(
        client_id=client.client_id,
        client_secret=added.secret,
        redirect_uris=registered.redirect_uris,
        allow=client.allow,
        scope=registered.scope,
        grant_types=registered.grant_types,
        pkce=registered.pkce,
        trusted=registered.is_trusted,
        preset=registered.preset,
        configuration=added.configuration,
    )


def row_record(client: Client) -> ClientRow:
    """Return a line of `clients list`."""
    return ClientRow(
        client_id=client.client_id,
        name=client.registration.name,
        public=client.registration.is_public,
        allow=client.allow,
        preset=client.registration.preset,
        disabled=at(client.disabled_at),
    )


def _authentication(registered: Registration) -> str:
    if registered.has_keys:
        return "private_key_jwt"
    return "none" if registered.is_public else "client_secret"


def shown_record(client: Client, secret_ids: tuple[str, ...]) -> ClientShown:
    """Return what `clients show` prints."""
    registered = client.registration
    return ClientShown(
        client_id=client.client_id,
        name=registered.name,
        public=registered.is_public,
        allow=client.allow,
        preset=registered.preset,
        disabled=at(client.disabled_at),
        redirect_uris=registered.redirect_uris,
        post_logout_uris=registered.post_logout_uris,
        backchannel_logout_uri=registered.backchannel_logout_uri,
        scope=registered.scope,
        grant_types=registered.grant_types,
        pkce=registered.pkce,
        trusted=registered.is_trusted,
        authentication=_authentication(registered),
        jwks_uri=registered.jwks_uri,
        email=registered.email,
        lean_id_token=registered.is_id_token_lean,
        secrets=secret_ids,
        created=at(client.created_at),
        changed=at(client.changed_at),
    )


LARGEST_KEYS = 64 * 1024
"""Characters of a file with keys."""

OPTIONS = (
    click.option("--name", metavar="TEXT", help="What people read; the id by default."),
    click.option(
        "--redirect-uri",
        "redirect_uris",
        multiple=True,
        metavar="URL",
        help="Where people are sent back to. May be repeated.",
    ),
    click.option(
        "--post-logout-uri",
        "post_logout_uris",
        multiple=True,
        metavar="URL",
        help="Where a sign-out may lead. May be repeated.",
    ),
    click.option(
        "--backchannel-logout-uri", metavar="URL", help="What is told of a sign-out."
    ),
    click.option(
        "--scope",
        "scopes",
        multiple=True,
        metavar="WORDS",
        help="The most that it may ask for; `openid profile` by default.",
    ),
    click.option(
        "--grant",
        "grant_types",
        multiple=True,
        type=click.Choice(GRANT_TYPES),
        help="Of its token requests; both by default.",
    ),
    click.option(
        "--jwks",
        type=click.File("r", encoding="utf-8"),
        metavar="FILE",
        help="Its public keys (a JWK set), in place of a secret (private_key_jwt).",
    ),
    click.option(
        "--jwks-uri", metavar="URL", help="Where its public keys are, in place of them."
    ),
    click.option(
        "--pkce",
        type=click.Choice(("required", "optional")),
        help="Whether a client with a secret may leave PKCE out.",
    ),
    click.option(
        "--trusted/--not-trusted",
        "is_trusted",
        default=None,
        help="First party: people are not asked for consent.",
    ),
    click.option(
        "--email",
        type=click.Choice(("none", "placeholder", "account")),
        help="The claim `email`: nothing, an address at EMAIL_DOMAIN made from the "
        "DID, or that of the account at its host. A change to `account` ends the "
        "client's grants, and people are asked again.",
    ),
    click.option(
        "--lean-id-token/--full-id-token",
        "is_id_token_lean",
        default=None,
        help="Leave the claims of userinfo out of the id_token.",
    ),
)


def registration_options(function: Decorated) -> Decorated:
    """Give a command the options of a registration; `named_in` reads them."""
    for option in reversed(OPTIONS):
        function = option(function)
    return function


def named_in(options: dict[str, Any]) -> dict[str, Any]:
    """Return the fields of a registration that were named on the command line."""
    scopes, keys = options.pop("scopes"), options.pop("jwks")
    named = {name: value for name, value in options.items() if value not in (None, ())}
    if keys is not None:
        named |= {"jwks": keys.read(LARGEST_KEYS), "jwks_uri": named.get("jwks_uri")}
    elif "jwks_uri" in named:
        named["jwks"] = None
    return {**named, "scope": " ".join(scopes)} if scopes else named
