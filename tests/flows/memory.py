"""Memory implementations of the ports, and an OAuth client that a test answers for.

They keep the promises of `app.flows.ports`: one caller ends a session, expired sessions
are not returned, a username is given once, a native login is decided once.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from app.atproto.client import Completed, Revocation
from app.atproto.crypto.encoding import sha256_hex
from app.atproto.oauth.authorization import Authorization
from app.flows.errors import UsernameTaken
from app.flows.sessions.rotation import RefreshChain, chain_of
from app.flows.sessions.standing import Standing
from app.tokens.issuer import IssuedToken


@dataclass
class MemorySessions:
    clock: object
    rows: dict = field(default_factory=dict)
    sids: dict = field(default_factory=dict)

    def add(self, session, *, secret):
        assert session.sid not in self.rows
        assert secret not in self.sids
        self.rows[session.sid] = session
        self.sids[secret] = session.sid

    def ended(self, secret):
        session = self.rows.get(self.sids.get(secret))
        return session if session and session.ended_at else None

    def narrow(self, sid, *, former, granted):
        is_same = self.get(sid) and (self.rows[sid].granted_scope or "") == (
            former or ""
        )
        if is_same:
            self._change(sid, granted_scope=granted, oauth_session_id=None)
        return bool(is_same)

    def get(self, sid):
        session = self.rows.get(sid)
        if session is None or session.ended_at or session.expires_at <= self.clock():
            return None
        return session

    def by_secret(self, secret):
        return self.get(self.sids.get(secret))

    def of(self, did):
        live = [s for s in map(self.get, self.rows) if s and s.did == did]
        return sorted(live, key=lambda s: (-s.seen_at, -s.created_at, s.sid))

    def beyond(self, did, most):
        return [session.sid for session in self.of(did)[most:]]

    def touch(self, sid, now):
        self._change(sid, seen_at=max(now, self.rows[sid].seen_at))

    def end(self, sid, now):
        was_live = self.get(sid) is not None
        if was_live:
            self._change(sid, ended_at=now)
        return was_live

    def ended_after(self, second, sid, *, limit):
        ended = sorted((s.ended_at, s.sid) for s in self.rows.values() if s.ended_at)
        later = [(name, at) for at, name in ended if (at, name) > (second, sid)]
        return later[:limit]

    def lead_to(self, sid, destination):
        self._change(sid, destination=destination)

    def finish_signup(self, sid, *, expires_at):
        self._change(sid, pending_for=None, destination=None, expires_at=expires_at)

    def _change(self, sid, **changes):
        self.rows[sid] = replace(self.rows[sid], **changes)


@dataclass
class MemoryStandings:
    sessions: MemorySessions
    users: MemoryUsers

    def of(self, sid):
        session = self.sessions.get(sid)
        if session is None:
            return None
        user = self.users.get(session.did)
        return Standing(
            session=session,
            has_account=user is not None,
            is_disabled=user is not None and user.disabled_at is not None,
            groups=(),
        )


@dataclass
class MemoryUsers:
    rows: dict = field(default_factory=dict)
    skeletons: dict = field(default_factory=dict)

    def get(self, did):
        return self.rows.get(did)

    def taken(self, skeletons, *, but_for=None):
        others = {s for s, did in self.skeletons.items() if did != but_for}
        return frozenset(skeletons) & others

    def note_handle(self, did, *, handle, now):
        is_later = self.rows[did].handle_checked_at <= now
        if is_later:
            self.rows[did] = replace(
                self.rows[did], handle=handle, handle_checked_at=now
            )
        return is_later

    def add(self, user, *, skeleton, invitation=None):
        if self.skeletons.setdefault(skeleton, user.did) != user.did:
            raise UsernameTaken(user.username)
        return self.rows.setdefault(user.did, user)

    def note_profile(self, did, *, display_name, avatar_cid, now):
        self.rows[did] = replace(
            self.rows[did],
            display_name=display_name,
            avatar_cid=avatar_cid,
            profile_checked_at=now,
        )

    def note_email(self, did, *, email, host, confirmed_at):
        self.rows[did] = replace(
            self.rows[did],
            email=email,
            email_host=host,
            email_confirmed_at=confirmed_at,
        )

    def note_sign_in(self, did, *, handle, issuer, now):
        changes = {"handle": handle, "issuer": issuer, "handle_checked_at": now}
        self.rows[did] = replace(self.rows[did], **changes)


@dataclass
class MemoryNativeLogins:
    """Native logins by id; `add` keeps the secret of the link."""

    rows: dict = field(default_factory=dict)
    secrets: dict = field(default_factory=dict)
    sessions: MemorySessions | None = None

    def add(self, login, *, open_secret):
        assert login.login_id not in self.rows
        self.rows[login.login_id] = login
        self.secrets[open_secret] = login.login_id

    def get(self, login_id):
        return self.rows.get(login_id)

    def by_open_secret(self, secret):
        return self.rows.get(self.secrets.get(secret))

    def open(self, login_id, now):
        login = self.rows[login_id]
        is_first = login.is_open(now) and login.opened_at is None
        if is_first:
            self.change(login_id, opened_at=now)
        return is_first

    def complete(self, login_id, *, session, now):
        if not self._decide(login_id, "completed", now):
            return False
        self.change(login_id, sid=session.sid, did=session.did)
        self.sessions.rows[session.sid] = session
        self.sessions.sids = {
            secret: sid
            for secret, sid in self.sessions.sids.items()
            if sid != session.sid
        }
        return True

    def deny(self, login_id, now):
        return self._decide(login_id, "denied", now)

    def acknowledge(self, login_id, now):
        is_due = self.rows[login_id].acknowledged_at is None
        self.change(login_id, acknowledged_at=now)
        return is_due

    def change(self, login_id, **changes):
        self.rows[login_id] = replace(self.rows[login_id], **changes)

    def _decide(self, login_id, status, now):
        is_open = self.rows[login_id].is_open(now)
        if is_open:
            self.change(login_id, status=status, decided_at=now)
        return is_open


@dataclass
class MemoryAudit:
    events: list = field(default_factory=list)

    def record(self, event, *, now, did=None, sid=None, detail=None):
        self.events.append((event, did, dict(detail or {})))

    def record_each(self, event, sessions, *, now, detail):
        for did, _sid in sessions:
            self.events.append((event, did, dict(detail)))


@dataclass
class MemoryInvitations:
    """Open invitations by secret, and how many uses each has left."""

    left: dict = field(default_factory=dict)

    def is_open(self, secret, now):
        return self.left.get(secret, 0) > 0


@dataclass
class FakeIssuer:
    """Issues tokens that name their session."""

    def issue(self, *, did, sid, handle, username):
        text = f"token of {sid} for {username}"
        return IssuedToken(text, issued_at=0, expires_at=0)


@dataclass
class FakeClient:
    """The OAuth client: `granted` or `failure` is what the next callback gives."""

    granted: object = None
    app_state: str = ""
    failure: Exception | None = None
    pushed: list = field(default_factory=list)
    revoked: list = field(default_factory=list)
    handles: dict = field(default_factory=dict)
    looked_up: list = field(default_factory=list)

    def authorize(self, identifier, **asked):
        assert asked.pop("deadline").remaining() > 0
        self.pushed.append({"identifier": identifier.value, **asked})
        return Authorization(
            url="https://auth.test/authorize",
            state=f"state-{len(self.pushed)}",
            issuer="https://auth.test",
            expires_at=0,
        )

    def callback(self, parameters, *, browser_secrets, deadline):
        assert deadline.remaining() > 0
        if self.failure is not None:
            raise self.failure
        return Completed(session=self.granted, app_state=self.app_state)

    def verified_handle(self, did, *, deadline, matters):
        assert deadline.remaining() > 0
        handle = self.handles.get(did)
        if handle is None or not matters(handle):
            return None
        self.looked_up.append(handle)
        if self.failure is not None:
            raise self.failure
        return handle

    def revoke(self, did, session_id, *, deadline, keep_unanswered=False):
        assert deadline.remaining() > 0
        self.revoked.append((did, session_id))
        return Revocation(issuer="https://auth.test", is_asked=True)


@dataclass
class NoLimit:
    """Counts calls; refuses once `refusal` is set."""

    hits: list = field(default_factory=list)
    refusal: Exception | None = None

    def hit(self, kind, key, *, times=1):
        self.hits.append((kind, key))
        if self.refusal:
            raise self.refusal

    def hit_all(self, kind, counted):
        for key, times in counted:
            self.hit(kind, key, times=times)


@dataclass
class MemoryRefreshChains:
    """Refresh chains by session, each with its current token in clear."""

    rows: dict = field(default_factory=dict)
    names: dict = field(default_factory=dict)

    def begin(self, sid, token, *, opener, now):
        if sid not in self.rows:
            self.names[chain_of(token)] = sid
            self.rows[sid] = self._chain(sid, token, opener, now)

    def first(self, sid, *, opener):
        chain = self.rows[sid]
        return chain.successor if chain.previous == sha256_hex(opener) else None

    def find(self, token):
        return self.rows.get(self.names.get(chain_of(token)))

    def rotate(self, token, successor, *, now):
        chain = self.find(token)
        if chain.current != sha256_hex(token):
            return False
        self.rows[chain.owner] = self._chain(chain.owner, successor, token, now)
        return True

    def successor(self, chain, token):
        assert chain.previous == sha256_hex(token)
        return chain.successor

    def _chain(self, sid, token, opener, now):
        return RefreshChain(
            owner=sid,
            current=sha256_hex(token),
            previous=sha256_hex(opener),
            rotated_at=int(now),
            successor=token,
        )
