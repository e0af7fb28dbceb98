"""The id_token of an `id_token_hint` (OpenID Connect Core section 3.1.2.1)."""

from __future__ import annotations

from dataclasses import replace
from typing import Protocol

from app.atproto.syntax.grammar import Did

from .request import AuthorizationRequest
from .rules import refuse


class HintReader(Protocol):
    """Reads id_tokens of this issuer."""

    def __call__(self, token: str, *, client_id: str) -> str | None:
        """Return the `sub` of an id_token that we signed for this client.

        An expired one counts: the hint names a person and proves nothing. None if the
        key has left the ring: such a hint names no person.

        Raises:
            ValueError: it is none.
        """


def with_subject(
    request: AuthorizationRequest, read: HintReader
) -> AuthorizationRequest:
    """Return the request with the account that its hint names.

    Raises:
        RequestRefused: `invalid_request`, the hint is no id_token of this client.
    """
    if request.id_token_hint is None:
        return request
    try:
        subject = read(request.id_token_hint, client_id=request.client_id)
    except ValueError:
        refuse(
            request, "invalid_request", "id_token_hint is no id_token of this client"
        )
    if subject is None:
        return replace(request, has_lost_hint=True)
    return replace(request, subject=Did(subject))
