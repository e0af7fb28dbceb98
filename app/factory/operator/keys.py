"""The use cases of the signing keys, for the operator's commands and the sweep."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import cast

from app.atproto.crypto.keys import Algorithm
from app.config import Settings
from app.factory.container import Parts
from app.flows.keys import KeyUseCases
from app.flows.keys.change import ChangeRing
from app.flows.keys.drop import DropKey
from app.flows.keys.life_cycle import CLIENT_ALGORITHM, ID_TOKEN_ALGORITHM
from app.flows.keys.listing import ListKeys
from app.flows.keys.prepare import PrepareKeys
from app.flows.keys.rotate import RotateKeys
from app.flows.keys.upkeep import KeyUpkeep
from app.flows.ports import Ring


def open_key_use_cases(parts: Parts) -> KeyUseCases:
    """Return the use cases over the rings of this deployment."""
    settings, stores, clock = parts.settings, parts.stores, parts.outside.clock
    algorithms = algorithms_of(settings)
    lifetime = longest_token(settings)
    change = ChangeRing(keys=stores.keys, audit=stores.audit, clock=clock)
    return KeyUseCases(
        algorithms=algorithms,
        list=ListKeys(
            keys=stores.keys,
            use=stores.key_use,
            clock=clock,
            token_lifetime=lifetime,
        ),
        prepare=PrepareKeys(change=change),
        rotate=RotateKeys(change=change, algorithms=algorithms),
        drop=DropKey(
            change=change,
            use=stores.key_use,
            algorithms=algorithms,
            token_lifetime=lifetime,
        ),
        upkeep=KeyUpkeep(
            change=change,
            use=stores.key_use,
            algorithms=algorithms,
            token_lifetime=lifetime,
            rotation=settings.key_rotation,
            makes_id_token_key=settings.provider
            and settings.token_algorithm != ID_TOKEN_ALGORITHM,
        ),
    )


def algorithms_of(settings: Settings) -> Mapping[Ring, Sequence[Algorithm]]:
    """Return the algorithms of each ring that is in use, the ring's own first."""
    algorithms: dict[Ring, Sequence[Algorithm]] = {}
    platform: list[Algorithm] = []
    if settings.jwt_secret is None:
        platform.append(cast("Algorithm", settings.token_algorithm))
    if settings.provider and ID_TOKEN_ALGORITHM not in platform:
        platform.append(ID_TOKEN_ALGORITHM)
    if platform:
        algorithms["platform"] = tuple(platform)
    if not settings.is_loopback_development:
        algorithms["client"] = (CLIENT_ALGORITHM,)
    return algorithms


def longest_token(settings: Settings) -> int:
    """Return the seconds for which something that the platform ring signed is valid."""
    return max(settings.token_lifetime, settings.id_token_lifetime)
