"""What an authorization server may be told to do wrong, on purpose."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .refusal import Refusal


@dataclass
class Lies:
    """Where this server breaks the profile; as built, nowhere."""

    subject: str | None = None
    """The `sub` of the token answer, in place of the account that signed in."""
    callback_iss: str | object | None = None
    """The `iss` of the callback: another one, or `REMOVED`."""
    callback_repeats: tuple[str, ...] = ()
    """Callback parameters that come twice."""
    callback_error: dict[str, str] | None = None
    """An error in place of the code."""
    granted_scope: str | None = None
    metadata: dict[str, object] = field(default_factory=dict)
    """Fields of the metadata that are others, or `REMOVED`."""
    forgets_nonce: bool = False
    """No `DPoP-Nonce` header on any answer (requirement 5.9)."""
    repeats_nonce: bool = False
    """Asks for a new nonce and sends the one that was used."""
    refuses: dict[str, Refusal] = field(default_factory=dict)
    """By path: says no for this reason, after every check has passed."""
    sizes: dict[str, int] = field(default_factory=dict)
    """Characters of `request_uri`, `access_token` and `refresh_token`: longer ones."""
