"""Rules between settings: completions, problems that stop the start, and warnings.

Functions over a `Settings`. A rule yields a `Problem` and stops the start; advice is a
warning in the log about something that is allowed and probably not meant.
"""

from __future__ import annotations

from collections.abc import Callable, Container, Iterable, Iterator
from dataclasses import dataclass
from importlib.util import find_spec
from ipaddress import ip_address
from urllib.parse import urlsplit

from app.atproto.scopes.scope import ATPROTO, ScopeSet

from .addresses import (
    LOOPBACK_HOSTS,
    Address,
    is_below,
    is_on_the_public_internet,
    is_public_suffix,
)
from .colour import contrast, dark_theme, light_theme
from .derived import Derived
from .types import PREFIX

HARD_TO_READ = 3.0  # a contrast ratio: WCAG 2.2 asks for it of large text and icons
SYMMETRIC = "HS256"
SHORTEST_TOKEN = 60
SHORTEST_AUDIT = 86_400
LONGEST_SESSION = 400 * 86400  # no browser keeps a cookie longer
DEVELOPMENT_PORT = 8000
IPV4_LOOPBACK, IPV6_LOOPBACK = "127.0.0.1", "::1"


@dataclass(frozen=True, slots=True)
class Problem:
    """One setting and what is wrong with it.

    `concerns` names the other settings that the rule looked at.
    """

    setting: str
    reason: str
    concerns: tuple[str, ...] = ()

    def __str__(self) -> str:
        return f"{PREFIX}{self.setting.upper()}: {self.reason}"

    def follows_from(self, broken: Container[str]) -> bool:
        """Tell whether a setting that could not be parsed may be the cause."""
        return any(name in broken for name in (self.setting, *self.concerns))


class SettingsInvalid(Exception):
    """The settings cannot be used; `problems` has every problem, a line each.

    `hints` are lines about unknown variables: a misspelt name is often why another
    setting is missing.
    """

    def __init__(self, problems: Iterable[Problem], hints: Iterable[str] = ()) -> None:
        self.problems = tuple(problems)
        self.hints = tuple(hints)
        super().__init__("\n".join([*map(str, self.problems), *self.hints]))


def complete(settings: Derived) -> None:
    """Set the fields whose default is another field's value."""
    public_url = f"http://{_loopback(settings.bind)}".removesuffix(":80")
    _set_default(settings, "public_url", public_url)
    _set_default(settings, "platform_name", settings.host)
    _set_default(settings, "cookie_name", settings.default_cookie_name)
    _set_default(settings, "token_audience", settings.public_url)
    _set_default(settings, "scope_max", settings.scope)


def _set_default(settings: Derived, name: str, value: str) -> None:
    if not getattr(settings, name):
        object.__setattr__(settings, name, value)


def problems(settings: Derived) -> Iterator[Problem]:
    """Yield every broken rule."""
    yield from _scopes(settings)
    yield from _cookie(settings)
    yield from _laboratory(settings)
    yield from _hosts_of_others(settings)
    yield from _landing(settings)
    yield from _lifetimes(settings)
    yield from _secrets(settings)
    yield from _rpc(settings)
    yield from _metrics(settings)
    yield from missing_packages(
        database_url=settings.database_url,
        rate_limit_storage=settings.rate_limit_storage,
        is_installed=_is_installed,
    )


def advice(settings: Derived) -> Iterator[str]:
    """Yield a line for each thing that is probably not meant."""
    transitional = [s for s in settings.scope.split() if s.startswith("transition:")]
    if transitional:  # requirement 8.6
        yield (
            f"{PREFIX}SCOPE: {' '.join(transitional)} asks for far more than a sign-in "
            "needs and is to be retired; ask for granular scopes"
        )
    for word in _no_permissions(settings.declared_scope):  # requirement 8.8
        yield (
            f"{PREFIX}SCOPE_MAX: {word} is no permission that we know; hosts drop such "
            "words or refuse every sign-in for them"
        )
    if not settings.native_confirmation:
        yield (
            f"{PREFIX}NATIVE_CONFIRMATION: off lets the sender of a forwarded link "
            "into the account of the person who follows it; see docs/native.md"
        )
    yield from _accent(settings)
    if settings.is_loopback_development and not _listens_on_loopback(settings.bind):
        yield (
            f"{PREFIX}BIND: {settings.bind} can be reached from other machines, and "
            "this is loopback development without TLS"
        )
    metrics = settings.metrics_bind
    if metrics is not None and not _listens_on_loopback(metrics):
        yield (
            f"{PREFIX}METRICS_BIND: {metrics} can be reached from other machines, and "
            "asks for no password; let a firewall admit Prometheus alone"
        )
    is_public = settings.is_secure and not settings.lab_network
    if is_public and settings.trusted_proxies == 0:
        yield (
            f"{PREFIX}TRUSTED_PROXIES: with 0 behind a TLS proxy all people come from "
            "one address and share one rate limit; say how many proxies are in front"
        )


def _accent(settings: Derived) -> Iterator[str]:
    """Say where the accent is hard to read, and which colour is used there."""
    wanted = settings.accent
    if wanted is None:
        return
    for name, used in (("light", light_theme), ("dark", dark_theme)):
        theme = used(wanted)
        ratio = contrast(wanted, theme.card)
        if ratio < HARD_TO_READ:
            yield (
                f"{PREFIX}ACCENT: {wanted} has a contrast of {ratio:.1f}:1 in the "
                f"{name} theme; links and buttons are {theme.accent} there"
            )


def _scopes(settings: Derived) -> Iterator[Problem]:
    beyond = ScopeSet.parse(settings.scope_max).missing(settings.scope)
    if beyond:
        reason = f"lacks {' '.join(beyond)}, which SCOPE asks for at each sign-in"
        yield Problem("scope_max", reason, ("scope",))


def _no_permissions(scope: str) -> list[str]:
    words = ScopeSet.parse(scope).words
    return [w for w in words if w != ATPROTO and not w.startswith("transition:")]


def _cookie(settings: Derived) -> Iterator[Problem]:
    name, domain = settings.cookie_name, settings.cookie_domain
    if name.startswith("__Host-") and domain:
        reason = "a __Host- cookie cannot have COOKIE_DOMAIN"
        yield Problem("cookie_name", reason, ("cookie_domain",))
    if name.startswith("__") and settings.is_loopback_development:
        reason = "browsers keep a cookie of this prefix over https only"
        yield Problem("cookie_name", reason, ("public_url",))
    if domain:
        reason = _unfit_to_share(domain, settings.host)
        if reason:
            yield Problem("cookie_domain", reason, ("public_url",))


def _unfit_to_share(domain: str, host: str) -> str:
    """Return why a domain cannot hold the platform cookie, or nothing."""
    if domain != host and not is_below(host, domain):
        return f"{domain} is no parent of {host}, PUBLIC_URL's host"
    if host in LOOPBACK_HOSTS:
        return "an address cannot share its cookies; leave it unset on loopback"
    if is_public_suffix(domain):
        return f"{domain} is a public suffix: strangers have hosts below it"
    return ""


def _laboratory(settings: Derived) -> Iterator[Problem]:
    host = settings.host
    if settings.lab_network and is_on_the_public_internet(host):
        reason = f"{host} is a name of the public internet, where no laboratory stands"
        yield Problem("lab_network", reason, ("public_url",))


def _hosts_of_others(settings: Derived) -> Iterator[Problem]:
    if settings.lab_network:
        return
    named = [("signup_hosts", origin) for origin in settings.signup_hosts]
    for name, origin in [("plc_url", settings.plc_url), *named]:
        if not origin.startswith("https://") or urlsplit(origin).port is not None:
            reason = f"{origin} must be https on the default port outside a LAB_NETWORK"
            yield Problem(name, reason, ("lab_network",))


def _landing(settings: Derived) -> Iterator[Problem]:
    parts = urlsplit(settings.landing_url)
    host, domain = parts.hostname, settings.cookie_domain
    if host is None:
        return
    if parts.scheme == "http" and not settings.is_plain_http_allowed:
        yield Problem("landing_url", "must be https", ("public_url", "lab_network"))
    is_shared = domain is not None and is_below(host, domain)
    if not is_shared and host not in settings.allowed_return_hosts:
        concerns = ("public_url", "cookie_domain", "return_hosts")
        yield Problem("landing_url", f"{host} is not among RETURN_HOSTS", concerns)


def _lifetimes(settings: Derived) -> Iterator[Problem]:
    if settings.token_lifetime < SHORTEST_TOKEN:
        yield Problem("token_lifetime", "must be at least 1m")
    if settings.token_lifetime > settings.session_lifetime:
        reason = "must not be longer than SESSION_LIFETIME, which renews the token"
        yield Problem("token_lifetime", reason, ("session_lifetime",))
    if settings.session_lifetime > LONGEST_SESSION:
        reason = "must be at most 400d, the longest that browsers keep a cookie"
        yield Problem("session_lifetime", reason)
    if settings.audit_lifetime < SHORTEST_AUDIT:
        yield Problem("audit_lifetime", "must be at least 1d")


def _secrets(settings: Derived) -> Iterator[Problem]:
    if settings.secret_key is None and settings.is_secure:
        reason = (
            "is required with https; make one with: python3 -c "
            "'import secrets; print(secrets.token_urlsafe(32))'"
        )
        yield Problem("secret_key", reason, ("public_url",))
    if settings.secret_key in settings.secret_key_fallbacks:
        yield Problem("secret_key_fallbacks", "holds SECRET_KEY itself")
    algorithm = settings.token_algorithm
    if algorithm == SYMMETRIC and settings.jwt_secret is None:
        reason = f"is required with TOKEN_ALGORITHM={algorithm}"
        yield Problem("jwt_secret", reason, ("token_algorithm",))
    if algorithm != SYMMETRIC and settings.jwt_secret is not None:
        reason = f"has no use with TOKEN_ALGORITHM={algorithm}; leave it out"
        yield Problem("jwt_secret", reason, ("token_algorithm",))


def _rpc(settings: Derived) -> Iterator[Problem]:
    has_certificate = settings.rpc_tls_certificate is not None
    if has_certificate != (settings.rpc_tls_key is not None):
        lacks, has = "rpc_tls_certificate", "rpc_tls_key"
        if has_certificate:
            lacks, has = has, lacks
        yield Problem(lacks, f"is required with {has.upper()}", (has,))
    bind = settings.rpc_bind
    if not (has_certificate or settings.rpc_clear_text or _listens_on_loopback(bind)):
        reason = (
            f"{bind} can be reached from other machines, and tokens would pass in "
            "clear text: set RPC_TLS_CERTIFICATE and RPC_TLS_KEY, or RPC_CLEAR_TEXT=on "
            "if something of yours in between does TLS"
        )
        concerns = ("rpc_tls_certificate", "rpc_tls_key", "rpc_clear_text")
        yield Problem("rpc_bind", reason, concerns)


def _metrics(settings: Derived) -> Iterator[Problem]:
    for name in ("bind", "rpc_bind"):
        if settings.metrics_bind == getattr(settings, name):
            reason = f"is {name.upper()}; metrics have an address of their own"
            yield Problem("metrics_bind", reason, (name,))


def missing_packages(
    *,
    database_url: str,
    rate_limit_storage: str,
    is_installed: Callable[[str], bool],
) -> Iterator[Problem]:
    """Yield what a chosen database or storage needs and is not installed."""
    if database_url.startswith("postgresql") and not is_installed("psycopg"):
        reason = "PostgreSQL needs the packages of ansible/requirements-postgres.txt"
        yield Problem("database_url", reason)
    if rate_limit_storage.startswith("redis") and not is_installed("redis"):
        reason = "Redis needs the packages of ansible/requirements-redis.txt"
        yield Problem("rate_limit_storage", reason)


def _is_installed(package: str) -> bool:
    return find_spec(package) is not None


def _loopback(bind: Address | str) -> Address:
    """Return where a browser on this machine finds us, by number (requirement 3.28)."""
    if not isinstance(bind, Address):
        return Address(IPV4_LOOPBACK, DEVELOPMENT_PORT)
    host = IPV6_LOOPBACK if bind.host == IPV6_LOOPBACK else IPV4_LOOPBACK
    return Address(host, bind.port)


def _listens_on_loopback(bind: Address | str) -> bool:
    return isinstance(bind, str) or ip_address(bind.host).is_loopback
