"""The use cases of the commands that manage OAuth clients."""

from __future__ import annotations

from app.atproto.http.types import Deadline
from app.atproto.open_client import open_discovery
from app.atproto.scopes.scope import ScopeSet
from app.atproto.stores.memory import MemoryCache
from app.atproto.syntax.grammar import Did, Handle
from app.config import Settings, is_host_of, is_public_suffix
from app.factory.container import Parts
from app.flows.limits.concurrency import ConcurrencyLimit
from app.flows.people.emails import READ_EMAIL
from app.flows.people.who import FindAccount
from app.flows.provider import ProviderUseCases
from app.flows.provider.claims import ReadClaims
from app.flows.provider.client_secrets import ManageSecrets
from app.flows.provider.clients import ManageClients
from app.flows.provider.policy import LOOK_UPS_AT_ONCE, LOOK_UPS_KEPT, JudgePolicy
from app.flows.provider.redirect_uris import RedirectRules
from app.flows.provider.rules import RegistrationRules
from app.flows.provider.scopes import ClaimRules

from .grants import manage_grants


def provider_of(parts: Parts) -> ProviderUseCases:
    """Return the use cases of the commands `clients` and `grants`."""
    settings, stores, clock = parts.settings, parts.stores, parts.outside.clock
    clients = ManageClients(
        clients=stores.clients,
        secrets=ManageSecrets(clients=stores.clients, audit=stores.audit, clock=clock),
        rules=registration_rules(parts),
        find_did=HandleLookup(parts),
        grants=manage_grants(parts),
        audit=stores.audit,
        together=stores.database.together,
        clock=clock,
        issuer=settings.public_url,
    )
    return ProviderUseCases(
        clients=clients,
        grants=manage_grants(parts),
        claims=ReadClaims(
            clients=clients,
            find=FindAccount(directory=stores.accounts),
            judge=judge_of(parts),
            groups=stores.groups,
            rules=claim_rules(settings),
        ),
    )


def claim_rules(settings: Settings) -> ClaimRules:
    """Return the rules of the claims about people."""
    return ClaimRules(
        email_domain=settings.email_domain,
        profile_url=settings.profile_url,
        picture_url=settings.picture_url,
        is_trusted=lambda host: is_host_of(host, settings.email_trusted_hosts),
    )


def is_email_asked(settings: Settings) -> bool:
    """Tell whether SCOPE asks hosts for the addresses of people."""
    return ScopeSet.parse(settings.scope).allows(READ_EMAIL)


def judge_of(parts: Parts) -> JudgePolicy:
    """Return the judge of client policies (`--allow`)."""
    clock = parts.outside.clock
    return JudgePolicy(
        groups=parts.stores.groups,
        handles=parts.client,
        recent=MemoryCache(clock, max_entries=LOOK_UPS_KEPT),
        places=ConcurrencyLimit("service", total=LOOK_UPS_AT_ONCE, retry_after=5),
        clock=clock,
        handle_fresh=parts.settings.handle_fresh,
    )


def registration_rules(parts: Parts) -> RegistrationRules:
    """Return the rules of client registration."""
    settings = parts.settings
    return RegistrationRules(
        redirects=RedirectRules(
            own_origin=settings.public_url,
            is_development=settings.is_loopback_development,
        ),
        token_audience=settings.token_audience,
        email_domain=settings.email_domain,
        is_email_asked=is_email_asked(settings),
        is_public_suffix=is_public_suffix,
        allow_test=parts.policy.allow_test_names,
    )


class HandleLookup:
    """Looks a handle up, without caches and in both directions."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts

    def __call__(self, handle: Handle, *, deadline: Deadline) -> Did:
        """Return the DID of a handle. Raises `AtprotoError`."""
        parts = self._parts
        discovery = open_discovery(
            http=parts.outside.http,
            clock=parts.outside.clock,
            txt=parts.outside.txt,
            cache=parts.stores.cache,
            policy=parts.policy,
            own_origin=parts.settings.public_url,
            plc_url=parts.settings.plc_url,
        )
        found = discovery.identities.resolve(handle, deadline=deadline, fresh=True)
        return found.did
