"""Errors in the language of the terminal: by their code, where the text is English.

The service's descriptions and the system's reasons are English. Where the terminal has
another language, a person reads the text of the error's code, and a reason of the
system after it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from ..errors import LoginRefused
from .languages import IS_TRANSLATED
from .languages import gettext as _

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ..errors import NativeError

BY_CODE: Final[Mapping[str, str]] = {
    "account_disabled": _(
        "Your account is closed at this platform. Ask the people who run it."
    ),
    "account_not_found": _("There is no such account. Check what you typed."),
    "handle_mismatch": _(
        "This handle and its account do not agree. Use the handle of your profile."
    ),
    "handle_not_found": _("This handle was not found. Check what you typed."),
    "host_unreachable": _(
        "The server of your account does not answer. Try again in a moment."
    ),
    "host_without_oauth": _(
        "The server of your account does not offer this way to sign in."
    ),
    "internal": _("Something broke at the service. Try again in a moment."),
    "invalid_grant": _("This sign-in has ended at the service: sign in again."),
    "invalid_identifier": _(
        "That is not a handle. A handle looks like an internet address."
    ),
    "invalid_request": _("The service could not read the request."),
    "login_expired": _("The sign-in was not finished in time: start again."),
    "not_a_member": _("This account cannot join the platform."),
    "not_signed_in": _("No account is signed in here: sign in."),
    "server_invalid": _(
        "The server of your account gave an invalid response. Try again later."
    ),
    "service_unavailable": _("The service is busy. Try again in a moment."),
    "too_many_requests": _("Too many requests: wait a moment, then try again."),
    "wrong_verifier": _("This sign-in belongs to another app."),
}
"""What the service refuses, in words for the person at the terminal."""

REFUSED: Final = _("The service refused with {code}.")

UNREACHABLE: Final = "the service cannot be reached: "
"""How the transports begin a reason of the system."""

WITH_REASON: Final[Mapping[str, str]] = {
    "invalid_server_url": _("This address cannot be used ({reason})"),
    "keyring_unusable": _("The system's keyring cannot be used ({reason})"),
    "server_unknown": _("No sign-in service answers there ({reason})"),
    "server_unreachable": _("The service cannot be reached ({reason})"),
    "session_store_failed": _(
        "The session could not be stored, read or removed ({reason})"
    ),
    "transport_missing": _("gRPC cannot be used here ({reason})"),
}


def sentence_of(error: NativeError) -> str:
    """Return what a person reads about an error."""
    said = str(error)
    if not IS_TRANSLATED:
        return said
    if isinstance(error, LoginRefused):
        return BY_CODE.get(error.code) or REFUSED.format(code=error.code)
    return _translated(said, WITH_REASON.get(error.code))


def trouble_of(reason: str) -> str:
    """Return what a person reads while the service does not answer."""
    return _translated(reason, WITH_REASON["server_unreachable"])


def _translated(said: str, around: str | None) -> str:
    """Return our translation of a text; without one, the text inside a known one."""
    own = _(said)
    if own != said or around is None or not IS_TRANSLATED:
        return own
    return around.format(reason=said.removeprefix(UNREACHABLE))
