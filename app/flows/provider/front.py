"""The front channel: use cases of authorization, consent and pushed requests."""

from __future__ import annotations

from dataclasses import dataclass

from .authorization.authorize import Authorize
from .authorization.consent import AnswerRequest
from .push import PushRequest


@dataclass(frozen=True, slots=True, kw_only=True)
class FrontChannel:
    """The use cases of /oauth/authorize, /oauth/consent and /oauth/par."""

    authorize: Authorize
    consent: AnswerRequest
    push: PushRequest
