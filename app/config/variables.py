"""Every variable of the environment: its type, its parser, its default, its meaning.

A field here is all that it takes to add one: the reader, `.env.example` and the
reference in `docs/` follow. What two of them mean together stands in `rules`.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from app.flows.xrpc.allow_list import CallRules

from . import addresses, types
from .addresses import Address
from .declare import setting


@dataclass(frozen=True, slots=True, kw_only=True)
class Variables:
    """What an operator decides; each field is `LATCHKEY_` and its name in capitals."""

    public_url: str = setting(
        addresses.public_origin,
        None,
        "The one origin of the service, https in production. Every absolute URL comes "
        "from it, never from a request.",
        unset="loopback development on http://127.0.0.1, or http://[::1] when BIND is "
        "that, and BIND's port",
        example="https://auth.platform.internal",
        section="Address and cookie",
    )
    platform_name: str = setting(
        types.name,
        None,
        "What pages call the platform.",
        unset="PUBLIC_URL's host",
        example="Platform",
    )
    cookie_domain: str | None = setting(
        addresses.domain,
        None,
        "Parent domain of the platform cookie, so that every service below it "
        "receives the cookie. A public suffix, and a name that is no parent of "
        "PUBLIC_URL's host, are refused.",
        unset="the cookie stays with PUBLIC_URL's host",
        example="platform.internal",
    )
    cookie_name: str = setting(
        types.cookie_name, "platform_token", "Name of the platform cookie."
    )
    return_hosts: tuple[str, ...] = setting(
        types.listed(addresses.host),
        "none",
        "Further hosts that `return_to` may lead to, exact and on the default port. "
        "PUBLIC_URL's own, and COOKIE_DOMAIN with everything below it, always may.",
        example="app.platform.org,play.platform.org",
    )
    landing_url: str = setting(
        addresses.landing,
        "/auth/account",
        "Where one lands after a sign-in without `return_to`: a path of ours or the "
        "URL of a host that `return_to` may lead to.",
    )

    scope: str = setting(
        types.scope,
        "atproto",
        "The scope asked for at sign-in; `atproto` alone asks for nothing but who "
        "the person is.",
        section="Signing in",
    )
    scope_max: str = setting(
        types.scope,
        None,
        "The most that a service of the platform may ask for later, with "
        "`/auth/login?scope=...`. Our client metadata declares it; hosts that know the "
        "metadata already may take ten minutes to notice a change.",
        unset="SCOPE",
        example="atproto repo:app.relay.track blob:image/*",
    )
    client_metadata_path: str = setting(
        types.one_of("/oauth-client-metadata.json", "/auth/client-metadata.json"),
        "/oauth-client-metadata.json",
        "Which of the two client metadata documents is our client_id. Permanent once "
        "chosen: sessions at the hosts are bound to it.",
    )
    handle_suffix: str | None = setting(
        addresses.handle_suffix,
        ".bsky.social",
        "Completes a name without a dot; `none` completes nothing.",
    )
    signup_hosts: tuple[str, ...] = setting(
        types.listed(addresses.origin),
        "https://bsky.social",
        "Hosts offered to people without an account, in this order.",
    )
    reserved_usernames: tuple[str, ...] = setting(
        types.listed(types.username),
        "none",
        "Usernames that nobody may pick, besides the list that ships.",
        example="staff,press",
    )
    native_confirmation: bool = setting(
        types.switch,
        "on",
        "Native apps: the browser asks before an app is let in, and shows a code to "
        "compare. Off: whoever follows a forwarded link lets its sender in.",
    )
    plc_url: str = setting(
        addresses.origin, "https://plc.directory", "The directory that did:plc asks."
    )
    dns_nameservers: tuple[Address, ...] = setting(
        types.listed(addresses.nameserver),
        "none",
        "Name servers for handles, as IP addresses; a port may follow.",
        unset="the system's",
        example="9.9.9.9,149.112.112.112",
    )
    rate_limit_login_per_address: str = setting(
        types.rate, "30/minute", "Sign-ins that one address may start."
    )
    rate_limit_login_per_host: str = setting(
        types.rate,
        "60/minute",
        "Sign-ins that may be started against one handle host or authorization server; "
        "also, counted apart, how often one host may be asked for its documents.",
    )
    native_streams_per_address: int = setting(
        types.number(most=100_000),
        "100",
        "Native logins that one address may await at the same time, in each process.",
    )
    rate_limit_storage: str = setting(
        types.storage_url,
        "memory://",
        "Where rate limits are counted: `memory://` in each process, "
        "`redis://HOST:PORT/DB` when several processes or nodes share them.",
        secret=True,
    )

    xrpc_allow: CallRules = setting(
        types.calls,
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
    xrpc_max_json: int = setting(
        types.size, "1MB", "Longest body of a call, uploads apart."
    )
    xrpc_max_blob: int = setting(
        types.size,
        "50MB",
        "Longest upload, and longest answer. Hosts have limits of their own.",
    )
    rate_limit_xrpc_per_session: str = setting(
        types.rate, "300/minute", "Calls that one session may make."
    )
    rate_limit_failed_tokens_per_address: str = setting(
        types.rate,
        "60/minute",
        "How often one address may call with a token that is none of ours or has "
        "ended; calls with a good one are not counted.",
    )

    token_lifetime: int = setting(
        types.duration,
        "24h",
        "Life of the platform token.",
        section="Tokens and sessions",
    )
    session_lifetime: int = setting(
        types.duration,
        "30d",
        "Life of the sign-in session, which renews the token without asking the "
        "host again.",
    )
    token_algorithm: str = setting(
        types.one_of("RS256", "ES256", "EdDSA", "HS256"),
        "RS256",
        "How the platform token is signed. HS256 is for a platform of one service, "
        "which then shares JWT_SECRET.",
    )
    token_audience: str = setting(
        types.audience, None, "The token's `aud` claim.", unset="PUBLIC_URL"
    )
    jwt_secret: bytes | None = setting(
        types.jwt_secret,
        None,
        "The secret of HS256, at least 32 bytes; refused with any other algorithm.",
        secret=True,
    )
    signing_key_path: Path | None = setting(
        types.file,
        None,
        "A private key (PKCS#8 PEM or JWK) to import into the platform's ring.",
        example="/etc/latchkey/platform.pem",
    )
    client_jwk_path: Path | None = setting(
        types.file,
        None,
        "A private P-256 key (PKCS#8 PEM or JWK) to import into the client's ring.",
        example="/etc/latchkey/client.jwk",
    )

    database_url: str = setting(
        types.database_url,
        "sqlite:///var/latchkey.db",
        "The database: SQLite for one machine, `postgresql://...` to share it.",
        secret=True,
        section="Storage and secrets",
    )
    secret_key: bytes | None = setting(
        types.secret_key,
        None,
        "32 random bytes in base64url. Encrypts tokens, keys and verifiers at rest.",
        unset="made and kept under var/ in loopback development; required elsewhere",
        secret=True,
    )
    secret_key_fallbacks: tuple[bytes, ...] = setting(
        types.listed(types.secret_key),
        "none",
        "Former values of SECRET_KEY, newest first: they still open what they sealed.",
        secret=True,
    )

    bind: Address | str = setting(
        addresses.listener,
        "127.0.0.1:8000",
        "Where gunicorn listens: an address with its port, or `unix:/PATH`. "
        "WEB_CONCURRENCY (without prefix) is the number of workers.",
        section="Serving",
    )
    rpc_bind: Address | str = setting(
        addresses.listener,
        "[::1]:50051",
        "Where `python -m app.rpc` serves gRPC: an address with its port, or "
        "`unix:/PATH`.",
    )
    rpc_tls_certificate: Path | None = setting(
        types.certificates,
        None,
        "The certificate of the gRPC listener with its chain (PEM). Renewed files are "
        "used without a restart.",
        unset="gRPC in clear text",
        example="/etc/latchkey/rpc.pem",
    )
    rpc_tls_key: Path | None = setting(
        types.file,
        None,
        "The private key of RPC_TLS_CERTIFICATE (PEM).",
        example="/etc/latchkey/rpc.key",
    )
    rpc_clear_text: bool = setting(
        types.switch,
        "off",
        "Lets gRPC be served without TLS on an address that other machines reach, "
        "where something of yours in between does it. Tokens pass there.",
    )
    trusted_proxies: int = setting(
        types.number(most=8),
        "0",
        "How many proxies in front of us set X-Forwarded-For, -Proto and -Host.",
    )
    log_level: str = setting(
        types.one_of("debug", "info", "warning", "error"),
        "info",
        "Least level logged.",
    )
    log_format: str = setting(
        types.one_of("text", "json"), "text", "Lines for people or for machines."
    )
    ca_bundle: Path | None = setting(
        types.certificates,
        None,
        "Certificates (PEM) trusted for outgoing TLS, in place of the usual ones.",
        unset="the usual certificates",
        example="/etc/ssl/certs/ca-certificates.crt",
    )
    lab_network: bool = setting(
        types.switch,
        "off",
        "A test network on this machine: outgoing http, private addresses, any port "
        "and .test names. Refused when PUBLIC_URL is a name of the public internet.",
    )
