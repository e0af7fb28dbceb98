"""Issue access tokens and id_tokens for a living grant, and store what is stored."""

from __future__ import annotations

import logging
import secrets
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any, Final

from app.flows.errors import PolicyNotJudged
from app.flows.ports import Audit
from app.flows.provider.authorization.codes import (
    CodeRefused,
    CodeReplayed,
    RedeemCode,
)
from app.flows.provider.grants.ports import AccessTokens, Grants
from app.flows.provider.grants.records import (
    MOST_TOKENS,
    AccessToken,
    Grant,
    GrantLifetimes,
    LivingGrant,
)
from app.flows.sessions.rotation import first_token
from app.tokens.errors import SigningKeyMissing

from .id_token import IssueIdToken
from .requests import ProgramRefused
from .telling import AccessLost, TellApp

log = logging.getLogger(__name__)

NOT_GOOD: Final = "the code or token is unknown, used, expired or of another client"


@dataclass(frozen=True, slots=True, kw_only=True)
class IssuedTokens:
    """Tokens that are made and not stored yet."""

    grant: Grant
    secret: str
    """The access token."""
    access: AccessToken
    body: dict[str, Any]
    """The answer (RFC 6749 section 5.1), without a refresh token."""


@dataclass(frozen=True, slots=True, kw_only=True)
class IssueTokens:
    """Makes the tokens of a grant; the policy is judged first."""

    tell: TellApp
    id_token: IssueIdToken
    lifetime: float
    """ACCESS_TOKEN_LIFETIME, in seconds."""
    clock: Callable[[], float]

    def __call__(
        self, living: LivingGrant, scope: str, *, nonce: str | None = None
    ) -> IssuedTokens:
        """Return an opaque access token, and an id_token for `openid`.

        Raises:
            ProgramRefused: `invalid_grant` if the account may not use the client any
                more, `temporarily_unavailable` if that cannot be judged now, or there
                is no key for the id_token yet.
        """
        try:
            claims = self.tell(living, scope)
        except AccessLost as error:
            log.info("%s lost access: %s", living.grant.client_id, error)
            raise ProgramRefused("invalid_grant", "access was withdrawn") from error
        except PolicyNotJudged as error:
            raise ProgramRefused(
                "temporarily_unavailable", "the policy cannot be judged now"
            ) from error
        now, secret = self.clock(), secrets.token_urlsafe(32)
        access = AccessToken(
            grant_id=living.grant.grant_id,
            scope=scope,
            issued_at=now,
            expires_at=now + self.lifetime,
        )
        body = {
            "access_token": secret,
            "token_type": "Bearer",
            "expires_in": int(self.lifetime),
            "scope": scope,
        }
        if "openid" in scope.split():
            body["id_token"] = self._id_token(
                living, claims, access_token=secret, nonce=nonce
            )
        return IssuedTokens(grant=living.grant, secret=secret, access=access, body=body)

    def _id_token(
        self,
        living: LivingGrant,
        claims: Mapping[str, Any],
        *,
        access_token: str,
        nonce: str | None,
    ) -> str:
        try:
            return self.id_token(living, claims, access_token=access_token, nonce=nonce)
        except SigningKeyMissing as error:
            log.error(  # noqa: TRY400 - what to do, and no traceback
                "no RS256 key for id_tokens: the next sweep makes it, or `init` now"
            )
            raise ProgramRefused(
                "temporarily_unavailable", "there is no signing key yet"
            ) from error


@dataclass(frozen=True, slots=True, kw_only=True)
class StoreTokens:
    """Takes the code or refresh token and stores what follows, in one transaction.

    What was refused is raised after the commit, so that a wrong verifier uses the code
    up and a reused token ends its grant.
    """

    redeem: RedeemCode
    grants: Grants
    tokens: AccessTokens
    together: Callable[[], AbstractContextManager[None]]
    lifetimes: GrantLifetimes
    audit: Audit
    clock: Callable[[], float]

    def of_code(
        self,
        issued: IssuedTokens,
        code: str,
        *,
        client_id: str,
        redirect_uri: str,
        verifier: str | None,
        refreshes: bool,
    ) -> str | None:
        """Take a code and store its tokens; return the refresh token, if there is one.

        Raises:
            ProgramRefused: `invalid_grant`; a code that was used before ends its grant.
        """
        refresh = first_token() if refreshes else None
        with self.together():
            try:
                self.redeem(
                    code,
                    client_id=client_id,
                    redirect_uri=redirect_uri,
                    verifier=verifier,
                )
            except CodeRefused as error:
                refused = error
                self._end_replayed(error)
            else:
                if self._stored(issued, refresh):
                    return refresh
                refused = CodeRefused("its grant ended meanwhile")
        raise ProgramRefused("invalid_grant", NOT_GOOD) from refused

    def replayed(self, code: str, *, client_id: str) -> None:
        """End the grant of a code that this client has used before."""
        grant_id = self.redeem.codes.used_by(code, client_id=client_id)
        if grant_id is not None:
            self._end_replayed(CodeReplayed(grant_id))

    def of_refresh(self, issued: IssuedTokens, token: str) -> str:
        """Rotate a refresh token and store the access token; return the successor.

        Raises:
            ProgramRefused: `invalid_grant`; a token that is reused has ended its grant.
        """
        now = self.clock()
        with self.together():
            rotated = self.grants.rotate(token, lifetimes=self.lifetimes, now=now)
            if rotated.token is not None:
                self.tokens.add(issued.access, secret=issued.secret, most=MOST_TOKENS)
                return rotated.token
            if rotated.verdict == "reused":
                self._record_end(issued.grant, "refresh token reused")
        raise ProgramRefused("invalid_grant", NOT_GOOD)

    def _stored(self, issued: IssuedTokens, refresh: str | None) -> bool:
        now, grant_id = self.clock(), issued.grant.grant_id
        if refresh is not None and not self.grants.start_refresh(
            grant_id, refresh, now=now
        ):
            return False
        self.tokens.add(issued.access, secret=issued.secret, most=MOST_TOKENS)
        return True

    def _end_replayed(self, error: CodeRefused) -> None:
        if not isinstance(error, CodeReplayed):
            return
        ended = self.grants.end(error.grant_id)
        if ended is not None:
            self._record_end(ended, "code used twice")

    def _record_end(self, grant: Grant, reason: str) -> None:
        log.warning("%s: a grant of %s ends", reason, grant.client_id)
        detail = {"client": grant.client_id, "reason": reason}
        self.audit.record("grant_ended", now=self.clock(), did=grant.did, detail=detail)
