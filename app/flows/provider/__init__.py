"""OAuth and OpenID provider: the clients of this platform, and who may use them."""

from __future__ import annotations

from dataclasses import dataclass

from .claims import ReadClaims
from .clients import ManageClients
from .grants.ending import ManageGrants


@dataclass(frozen=True, slots=True, kw_only=True)
class ProviderUseCases:
    """The use cases of `clients` and `grants`."""

    clients: ManageClients
    claims: ReadClaims
    grants: ManageGrants
