"""What the server checks of a pushed request (requirements 4.2 to 4.9)."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from .client_authentication import accepts_redirect
from .refusal import Refusal

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

FORBIDDEN = {
    "client_secret",
    "nonce",
    "claims",
    "id_token_hint",
    "request",
    "request_uri",
}
HANDLE = re.compile(r"(?:[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z][a-z0-9-]*")
DID = re.compile(r"did:[a-z]+:[A-Za-z0-9._:%-]*[A-Za-z0-9._-]")
CHALLENGE = re.compile(r"[A-Za-z0-9_-]{43}")


def check_request(
    form: Mapping[str, str], metadata: Mapping[str, Any], *, prompts: Collection[str]
) -> None:
    """Refuse a request that this client may not make."""
    if FORBIDDEN & set(form):
        raise Refusal("invalid_request", "a parameter that is not wanted")
    if form.get("response_type") != "code" or not form.get("state"):
        raise Refusal("invalid_request", "response_type and state")
    if not accepts_redirect(metadata, form.get("redirect_uri", "")):
        raise Refusal("invalid_request", "Invalid redirect_uri")
    if form.get("code_challenge_method") != "S256":
        raise Refusal("invalid_request", "code_challenge_method is S256")
    if not CHALLENGE.fullmatch(form.get("code_challenge", "")):
        raise Refusal("invalid_request", "code_challenge is no SHA-256")
    _check_scope(form.get("scope", ""), metadata)
    _check_hint(form.get("login_hint"))
    _check_prompt(form.get("prompt"), metadata, prompts)


def _check_scope(scope: str, metadata: Mapping[str, Any]) -> None:
    asked = scope.split(" ")
    if "atproto" not in asked:
        raise Refusal("invalid_scope", "atproto is missing")
    if set(asked) - set(metadata["scope"].split(" ")):
        raise Refusal("invalid_scope", "not declared in the client metadata")


def _check_hint(hint: str | None) -> None:
    if hint is not None and not (HANDLE.fullmatch(hint) or DID.fullmatch(hint)):
        raise Refusal("invalid_request", "Invalid login_hint")


def _check_prompt(
    prompt: str | None, metadata: Mapping[str, Any], prompts: Collection[str]
) -> None:
    if prompt is None:
        return
    if prompt not in prompts:
        raise Refusal("invalid_request", "prompt is not supported")
    if prompt == "none" and metadata["token_endpoint_auth_method"] == "none":
        raise Refusal("invalid_request", "no silent sign-on for public clients")
