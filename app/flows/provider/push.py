"""POST /oauth/par: pushed authorization requests (RFC 9126)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from app.flows.limits.networks import hit_networks
from app.flows.ports import RateLimit

from .authorization.errors import ClientNotKnown, RedirectUriInvalid, RequestRefused
from .authorization.hints import HintReader, with_subject
from .authorization.request import Parameters, ReadRequest
from .authorization.waiting import LIFETIMES, KeepRequests
from .registration import Client
from .tokens.client_authentication import AuthenticateClient, Caller
from .tokens.requests import ProgramRefused

OF_THE_CLIENT: Final = (
    "client_secret",
    "client_assertion",
    "client_assertion_type",
)
"""Parameters that authenticate the client and are no part of its request."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Pushed:
    """The answer to a push; `expires_in` is in seconds."""

    request_uri: str
    expires_in: int = LIFETIMES["pushed"]


@dataclass(frozen=True, slots=True, kw_only=True)
class PushRequest:
    """Stores a request that its client sends itself."""

    authenticate: AuthenticateClient
    read: ReadRequest
    keep: KeepRequests
    read_hint: HintReader
    limits: RateLimit

    def __call__(self, caller: Caller, parameters: Parameters) -> Pushed:
        """Return the `request_uri` of a request.

        Raises:
            ProgramRefused: the client does not authenticate, or its request is wrong.
            TooManyRequests: a public client's address has reached its limit.
        """
        client = self.authenticate(caller)
        if client.registration.is_public:
            hit_networks(self.limits, "authorize", caller.network)
        try:
            _, request = self.read(_of(client, parameters))
            return Pushed(
                request_uri=self.keep.push(with_subject(request, self.read_hint))
            )
        except RequestRefused as refused:
            raise ProgramRefused(refused.code, refused.description) from refused
        except ClientNotKnown as error:
            raise ProgramRefused("invalid_client", "the client is disabled") from error
        except RedirectUriInvalid as error:
            raise ProgramRefused("invalid_request", str(error)) from error


def _of(client: Client, parameters: Parameters) -> Parameters:
    """Return the request without what authenticates its client."""
    request = {n: list(v) for n, v in parameters.items() if n not in OF_THE_CLIENT}
    return {**request, "client_id": [client.client_id]}
