"""Every environment variable: its type, its parser, its default, its meaning.

A field here is all that a new setting needs: the reader of the environment,
`.env.example` and the reference in `docs/` follow from it. `rules` holds what several
of them mean together.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from ipaddress import IPv4Network, IPv6Network
from pathlib import Path
from typing import Annotated, Any

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict

from app.flows.people.signup.admission import SignupRule
from app.flows.xrpc.allow_list import XrpcAllowList

from . import addresses, colour, face, types
from .addresses import Address
from .types import PREFIX, Duration, Rate, Size, Switch, listed, number, one_of, parsed

Hosts = Annotated[tuple[str, ...], listed(addresses.host)]
HostPatterns = Annotated[tuple[str, ...], listed(addresses.host_pattern)]
Origins = Annotated[tuple[str, ...], listed(addresses.origin)]
Nameservers = Annotated[tuple[Address, ...], listed(addresses.nameserver)]
Networks = Annotated[tuple[IPv4Network | IPv6Network, ...], listed(addresses.network)]
Listener = Annotated[Address | str, parsed(addresses.listener)]
MetricsListener = Annotated[Address | str | None, parsed(addresses.optional_listener)]
Scope = Annotated[str, parsed(types.scope)]
File = Annotated[Path | None, parsed(types.file)]
Certificates = Annotated[Path | None, parsed(types.certificates)]
WebPage = Annotated[str | None, parsed(face.web_page)]
Contact = Annotated[str | None, parsed(face.contact)]
Secret = Annotated[bytes | None, parsed(types.secret_key)]


@dataclass(frozen=True, slots=True)
class Declaration:
    """What the reference says about a setting, besides its name.

    `default` is written as an operator writes it; `unset` says what an unset variable
    means when there is no default; `section` opens a new section of the reference.
    """

    default: str | None
    meaning: str
    unset: str = ""
    example: str = ""
    secret: bool = False
    section: str = ""


def setting(default: str | None, meaning: str, **more: Any) -> Any:
    """Declare a field with the facts of a `Declaration`.

    A secret is left out of `repr`, and a variable with `_FILE` after its name may hold
    the path of a file with the value.
    """
    declaration = Declaration(default, meaning, **more)
    return Field(
        default=default,
        repr=not declaration.secret,
        json_schema_extra=asdict(declaration),
    )


def declarations() -> Iterator[tuple[str, Declaration]]:
    """Yield the name of each variable and what is declared of it."""
    for name, field in Variables.model_fields.items():
        facts: Any = field.json_schema_extra
        yield PREFIX + name.upper(), Declaration(**facts)


class Variables(BaseSettings):
    """What an operator decides; each field is `LATCHKEY_` and its name in capitals."""

    model_config = SettingsConfigDict(
        frozen=True,
        extra="forbid",
        validate_default=True,
        enable_decoding=False,  # a list is text with commas, not JSON
        hide_input_in_errors=True,
        env_prefix=PREFIX,
        env_ignore_empty=True,
    )

    public_url: Annotated[str, parsed(addresses.public_origin)] = setting(
        None,
        "The one origin of the service, https in production. Every absolute URL comes "
        "from it, never from a request.",
        unset="loopback development on http://127.0.0.1, or http://[::1] when BIND is "
        "that, and BIND's port",
        example="https://auth.platform.internal",
        section="Address and cookie",
    )
    platform_name: Annotated[str, parsed(types.name)] = setting(
        None,
        "What pages call the platform.",
        unset="PUBLIC_URL's host",
        example="Platform",
    )
    cookie_domain: Annotated[str | None, parsed(addresses.domain)] = setting(
        None,
        "Parent domain of the platform cookie, so that every service below it "
        "receives the cookie. A public suffix, and a name that is no parent of "
        "PUBLIC_URL's host, are refused.",
        unset="the cookie stays with PUBLIC_URL's host",
        example="platform.internal",
    )
    cookie_name: Annotated[str, parsed(types.cookie_name)] = setting(
        None,
        "Name of the platform cookie. A name with `__Host-` is refused together with "
        "COOKIE_DOMAIN: browsers keep such a cookie to one host.",
        unset="`__Host-platform_token`; with COOKIE_DOMAIN and in loopback development "
        "`platform_token`",
        example="platform_token",
    )
    return_hosts: Hosts = setting(
        "none",
        "Further hosts that `return_to` may lead to, exact and on the default port. "
        "PUBLIC_URL's own, and COOKIE_DOMAIN with everything below it, always may.",
        example="app.platform.org,play.platform.org",
    )
    landing_url: Annotated[str, parsed(addresses.landing)] = setting(
        "/auth/account",
        "Where one lands after a sign-in without `return_to`: a path of ours or the "
        "URL of a host that `return_to` may lead to.",
    )

    logo: Annotated[face.Logo | None, parsed(face.logo)] = setting(
        None,
        "File with a picture (PNG, JPEG, GIF, WebP or SVG, at most 256 KB) that pages "
        "show beside the platform's name, and consent pages of hosts as `logo_uri`. "
        "Read at the start.",
        unset="a key",
        example="/etc/latchkey/logo.svg",
        section="What people see",
    )
    accent: Annotated[str | None, parsed(colour.accent)] = setting(
        None,
        "Colour of links and buttons. Where it is hard to read it is darkened in the "
        "light theme and lightened in the dark one, to a contrast of 4.5:1; below 3:1 "
        "the log says so at the start.",
        unset="indigo",
        example="#0a7f5a",
    )
    home_url: WebPage = setting(
        None,
        "The platform's own page, behind its name on every page.",
        unset="the name is no link",
        example="https://www.platform.internal/",
    )
    terms_url: WebPage = setting(
        None,
        "Terms of service, linked on every page, in our client metadata (`tos_uri`) "
        "and in the discovery documents (`op_tos_uri`).",
        unset="no link",
    )
    privacy_url: WebPage = setting(
        None,
        "Privacy policy, linked on every page, in our client metadata (`policy_uri`) "
        "and in the discovery documents (`op_policy_uri`).",
        unset="no link",
    )
    support_url: Contact = setting(
        None,
        "Where people find help: an https URL or `mailto:` address, linked on every "
        "page.",
        unset="no link",
        example="mailto:help@platform.internal",
    )
    security_contact: Contact = setting(
        None,
        "Where vulnerabilities are reported, for `/.well-known/security.txt` "
        "(RFC 9116): an https URL or `mailto:` address.",
        unset="there is no such file",
        example="mailto:security@platform.internal",
    )
    translations_path: Annotated[Path | None, parsed(face.folder)] = setting(
        None,
        "Folder with catalogues of your own, `de.po` or `ar.po`: their texts replace "
        "ours, one by one, and a new language is added to the menu. Checked at the "
        "start.",
        unset="our texts",
        example="/etc/latchkey/translations",
    )

    scope: Scope = setting(
        "atproto",
        "The scope asked for at sign-in; `atproto` alone asks for nothing but who "
        "the person is.",
        section="Signing in",
    )
    scope_max: Scope = setting(
        None,
        "The most that a service of the platform may ask for later, with "
        "`/auth/login?scope=...`. Our client metadata declares it; hosts that know the "
        "metadata already may take ten minutes to notice a change.",
        unset="SCOPE",
        example="atproto repo:app.relay.track blob:image/*",
    )
    client_metadata_path: Annotated[
        str, one_of("/oauth-client-metadata.json", "/auth/client-metadata.json")
    ] = setting(
        "/oauth-client-metadata.json",
        "Which of the two client metadata documents is our client_id. Permanent once "
        "chosen: sessions at the hosts are bound to it.",
    )
    handle_suffix: Annotated[str | None, parsed(addresses.handle_suffix)] = setting(
        ".bsky.social",
        "Completes a name without a dot; `none` completes nothing.",
    )
    typeahead_url: WebPage = setting(
        None,
        "Suggests accounts while a person types in the sign-in field: an endpoint of "
        "the kind of `app.bsky.actor.searchActorsTypeahead`, which takes `q` and "
        "`limit`. The service asks it, and for the avatars, bounded and cached, so "
        "that no other host learns a person's address.",
        unset="no suggestions",
        example="https://public.api.bsky.app/xrpc/app.bsky.actor.searchActorsTypeahead",
    )
    signup_hosts: Origins = setting(
        "https://bsky.social",
        "Hosts offered to people without an account, in this order.",
    )
    reserved_usernames: Annotated[tuple[str, ...], listed(types.username)] = setting(
        "none",
        "Usernames that cannot be chosen, besides the list that ships.",
        example="staff,press",
    )
    signup_allow: Annotated[SignupRule, parsed(SignupRule.parse)] = setting(
        "everyone",
        "Who may sign up: `everyone`, `none`, or a list of DIDs, `@handle`, "
        "`*.example.org` (every handle below it) and `invited` (with a link of "
        "`invitations create`). The handle is looked up again at the sign-up. Accounts "
        "that exist are not affected.",
        example="*.example.org,@alice.example.com,invited",
    )
    username_hold: Duration = setting(
        "90d",
        "For how long no other account may have a username that was given up, by a "
        "change or with a deleted account.",
    )
    username_changes: Annotated[int | None, parsed(types.rotation)] = setting(
        "30d",
        "How long a person waits after a change of their username before the next one; "
        "at least a day. `off`: only operators change usernames.",
        example="30d",
    )
    users_visible: Annotated[str, one_of("signed_in", "none")] = setting(
        "signed_in",
        "Who may ask `/auth/users` for username, DID, handle and day of sign-up of the "
        "platform's accounts: services and pages of people who are `signed_in`, or "
        "`none`.",
    )
    native_confirmation: Switch = setting(
        "on",
        "Native apps: the browser asks before an app is let in, and shows a code to "
        "compare. Off: a person who follows a forwarded link lets its sender in.",
    )
    plc_url: Annotated[str, parsed(addresses.origin)] = setting(
        "https://plc.directory", "The directory that did:plc asks."
    )
    dns_nameservers: Nameservers = setting(
        "none",
        "Name servers for handles, as IP addresses; a port may follow.",
        unset="the system's",
        example="9.9.9.9,149.112.112.112",
    )
    rate_limit_login_per_address: Rate = setting(
        "30/minute", "Sign-ins that one address may start."
    )
    rate_limit_login_per_host: Rate = setting(
        "60/minute",
        "Sign-ins that may be started against one handle host or authorization server; "
        "also, counted apart, how often one host may be asked for its documents.",
    )
    max_sessions: Annotated[int, number(least=1, most=10_000)] = setting(
        "50",
        "Sessions that one account may have at the same time; a further sign-in ends "
        "the one that was used longest ago.",
    )
    native_streams_per_address: Annotated[int, number(most=100_000)] = setting(
        "100",
        "Native logins that one address may await at the same time, in each process.",
    )
    rate_limit_storage: Annotated[str, parsed(types.storage_url)] = setting(
        "memory://",
        "Where rate limits are counted: `memory://` in PostgreSQL for all nodes, or "
        "for all processes of this host with SQLite; `redis://HOST:PORT/DB` in Redis.",
        secret=True,
    )

    provider: Switch = setting(
        "on",
        "Whether apps sign people in through us with OAuth 2.1 and OpenID Connect. "
        "Off: `/oauth/...` answers 404, and the server metadata names no endpoint.",
        section="Apps that sign people in through us",
    )
    access_token_lifetime: Duration = setting(
        "15m", "Life of the access token that an app gets."
    )
    id_token_lifetime: Duration = setting(
        "1h", "Life of the id_token that an app gets."
    )
    rate_limit_client_failures_per_address: Rate = setting(
        "30/minute",
        "How often one address may fail to authenticate as a client; what succeeds is "
        "not counted.",
    )
    rate_limit_authorize_per_address: Rate = setting(
        "60/minute", "Authorization requests that one address may make."
    )
    handle_fresh: Duration = setting(
        "1h",
        "How long a verified handle counts where a client's policy names a domain "
        "(`clients add --allow`); an older one is looked up again.",
    )
    grant_lifetime: Duration = setting(
        "90d",
        "How long an app with `offline_access` may sign a person in without the "
        "person; then the person signs in again.",
    )
    grant_idle: Duration = setting(
        "30d",
        "How long an app with `offline_access` may leave its grant unused before it "
        "ends.",
    )
    email_domain: Annotated[str | None, parsed(addresses.domain)] = setting(
        None,
        "The domain of the addresses that clients with `--email placeholder` are told, "
        "made from the DID. Mail to it should be refused.",
        unset="no client can have `--email placeholder`",
        example="people.platform.internal",
    )
    email_trusted_hosts: HostPatterns = setting(
        "none",
        "PDSes, with commas between them, that check addresses of people, or `none`; "
        "`*.example.org` is all below a domain. Clients with `--email account` are "
        "told that an address is verified if one of these says so, and only then.",
        example="pds.example.org, *.host.bsky.network",
    )
    profile_url: Annotated[str | None, parsed(addresses.profile_template)] = setting(
        "none",
        "What clients are told to be a person's page: an https URL with `{did}` in it, "
        "or `none`.",
        example="https://bsky.app/profile/{did}",
    )
    picture_url: Annotated[str | None, parsed(addresses.picture_template)] = setting(
        "none",
        "What clients are told to be a person's picture: an https URL with `{did}` and "
        "`{cid}` in it, or `none`. The picture is that of the profile record, which is "
        "read beside a sign-in where a client has the scope `profile`.",
        example="https://cdn.bsky.app/img/avatar/plain/{did}/{cid}@jpeg",
    )

    xrpc_allow: Annotated[XrpcAllowList, parsed(types.calls)] = setting(
        "none",
        "Which calls services of the platform may make on their visitors' hosts "
        "through `/auth/xrpc/`: permissions with spaces between them. "
        "`repo:COLLECTION?action=create` for records, `blob:image/*` for uploads, "
        "`rpc:METHOD` for a method of the host itself, "
        "`rpc:METHOD?aud=DID%23SERVICE` for one that it forwards. What they need of "
        "the person must be granted as well: see SCOPE.",
        example="repo:app.relay.track blob:audio/* rpc:com.atproto.server.getSession",
        section="On the user's behalf",
    )
    xrpc_max_json: Size = setting("1MB", "Longest body of a call, uploads apart.")
    xrpc_max_blob: Size = setting(
        "50MB",
        "Longest upload, and longest answer. Hosts have limits of their own.",
    )
    rate_limit_xrpc_per_session: Rate = setting(
        "300/minute", "Calls that one account may make, all its sessions together."
    )
    rate_limit_failed_tokens_per_address: Rate = setting(
        "60/minute",
        "How often one address may call with a token that is none of ours or has "
        "ended; calls with a good one are not counted.",
    )

    token_lifetime: Duration = setting(
        "24h",
        "Life of the platform token.",
        section="Tokens and sessions",
    )
    session_lifetime: Duration = setting(
        "30d",
        "Life of the sign-in session, which renews the token without asking the "
        "host again.",
    )
    audit_lifetime: Duration = setting(
        "90d", "How long audit events are kept; the sweep deletes older ones."
    )
    token_algorithm: Annotated[str, one_of("RS256", "ES256", "EdDSA", "HS256")] = (
        setting(
            "RS256",
            "How the platform token is signed. HS256 is for a platform of one service, "
            "which then shares JWT_SECRET.",
        )
    )
    token_audience: Annotated[str, parsed(types.audience)] = setting(
        None, "The token's `aud` claim.", unset="PUBLIC_URL"
    )
    jwt_secret: Secret = setting(
        None,
        "The key of HS256: 32 random bytes in base64url, made as SECRET_KEY is. The "
        "service that verifies decodes it first. Refused with any other algorithm.",
        secret=True,
    )
    signing_key_path: File = setting(
        None,
        "A private key (PKCS#8 PEM or JWK) to import into the platform's ring.",
        example="/etc/latchkey/platform.pem",
    )
    client_jwk_path: File = setting(
        None,
        "A private P-256 key (PKCS#8 PEM or JWK) to import into the client's ring.",
        example="/etc/latchkey/client.jwk",
    )
    key_rotation: Annotated[int | None, parsed(types.rotation)] = setting(
        "off",
        "How long a signing key signs before the sweep publishes the next one, such as "
        "`90d`; at least a day. `off`: keys are rotated by command.",
        example="90d",
    )

    database_url: Annotated[str, parsed(types.database_url)] = setting(
        "sqlite:///var/latchkey.db",
        "The database: SQLite for one machine, `postgresql://...` to share it.",
        secret=True,
        section="Storage and secrets",
    )
    secret_key: Secret = setting(
        None,
        "32 random bytes in base64url. Encrypts tokens, keys and verifiers at rest.",
        unset="made and kept under var/ in loopback development; required elsewhere",
        secret=True,
    )
    secret_key_fallbacks: Annotated[tuple[bytes, ...], listed(types.secret_key)] = (
        setting(
            "none",
            "Former values of SECRET_KEY, newest first: they still open what they "
            "sealed. Of several nodes, the coming value as well (docs/keys.md).",
            secret=True,
        )
    )

    bind: Listener = setting(
        "127.0.0.1:8000",
        "Where gunicorn listens: an address with its port, or `unix:/PATH`. "
        "WEB_CONCURRENCY (without prefix) is the number of workers: 2 by default where "
        "the machine has two cores, else 1.",
        section="Serving",
    )
    rpc_bind: Listener = setting(
        "[::1]:50051",
        "Where `python -m app.rpc` serves gRPC: an address with its port, or "
        "`unix:/PATH`.",
    )
    rpc_tls_certificate: Certificates = setting(
        None,
        "The certificate of the gRPC listener with its chain (PEM). Renewed files are "
        "used without a restart.",
        unset="gRPC in clear text",
        example="/etc/latchkey/rpc.pem",
    )
    rpc_tls_key: File = setting(
        None,
        "The private key of RPC_TLS_CERTIFICATE (PEM).",
        example="/etc/latchkey/rpc.key",
    )
    rpc_clear_text: Switch = setting(
        "off",
        "Lets gRPC be served without TLS on an address that other machines reach, "
        "where something of yours in between does it. Tokens pass there.",
    )
    trusted_proxies: Annotated[int, number(most=8)] = setting(
        "0",
        "How many proxies in front of us set X-Forwarded-For, -Proto and -Host.",
    )
    forward_auth_preflight: Annotated[str, one_of("refuse", "pass")] = setting(
        "refuse",
        "What `/auth/verify` answers to a CORS preflight that a proxy asks about: "
        "`refuse` with 401, or `pass` with 200, so that the service behind the proxy "
        "answers it. A preflight never carries a cookie.",
    )
    log_level: Annotated[str, one_of("debug", "info", "warning", "error")] = setting(
        "info",
        "Least level logged.",
    )
    log_format: Annotated[str, one_of("text", "json")] = setting(
        "text", "Lines for people or for machines."
    )
    log_access: Switch = setting(
        "on",
        "Logs one line for each request. Off: where the proxy logs them already.",
    )
    backup_keep: Annotated[int, number(least=1, most=1000)] = setting(
        "7",
        "How many backups `backup DIRECTORY` keeps in a directory; older ones are "
        "deleted once the new one is complete.",
    )
    metrics_bind: MetricsListener = setting(
        "off",
        "Where metrics are served to Prometheus, beside the service and never by it: "
        "an address of its own, such as `127.0.0.1:9464`, or `unix:/PATH`.",
        example="127.0.0.1:9464",
    )
    ca_bundle: Certificates = setting(
        None,
        "Certificates (PEM) trusted for outgoing TLS, in place of the usual ones.",
        unset="the usual certificates",
        example="/etc/ssl/certs/ca-certificates.crt",
    )
    egress_deny: Networks = setting(
        "none",
        "Networks that no outgoing request may reach, such as global addresses of "
        "your own machines. Addresses that are not global are refused already.",
        example="203.0.113.0/24,2001:db8:7::/48",
    )
    lab_network: Switch = setting(
        "off",
        "A test network on this machine: outgoing http, private addresses, any port "
        "and .test names. Refused when PUBLIC_URL is a name of the public internet.",
    )
