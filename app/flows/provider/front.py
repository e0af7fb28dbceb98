"""The front channel of the provider: what browsers and pushed requests meet."""

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
