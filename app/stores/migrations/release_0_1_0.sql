-- The schema of release 0.1.0, without its comments: where migrations begin.

CREATE TABLE IF NOT EXISTS users (
    did               TEXT   PRIMARY KEY,
    username          TEXT   NOT NULL UNIQUE,
    skeleton          TEXT   NOT NULL UNIQUE,
    handle            TEXT,
    handle_checked_at BIGINT NOT NULL,
    created_at        BIGINT NOT NULL,
    disabled_at       BIGINT,
    issuer            TEXT
);

CREATE TABLE IF NOT EXISTS oauth_auth_requests (
    state_hash   TEXT   PRIMARY KEY,
    binding      TEXT,
    issuer       TEXT   NOT NULL,
    server       TEXT   NOT NULL,
    did          TEXT,
    handle       TEXT,
    pds          TEXT,
    login_hint   TEXT,
    redirect_uri TEXT   NOT NULL,
    client_id    TEXT   NOT NULL,
    auth_method  TEXT   NOT NULL,
    client_kid   TEXT,
    scope        TEXT   NOT NULL,
    secrets      TEXT   NOT NULL,
    evidence_at  BIGINT,
    created_at   BIGINT NOT NULL,
    expires_at   BIGINT NOT NULL
);
CREATE INDEX IF NOT EXISTS oauth_auth_requests_by_expiry
    ON oauth_auth_requests (expires_at);

CREATE TABLE IF NOT EXISTS oauth_sessions (
    did                 TEXT   NOT NULL,
    session_id          TEXT   NOT NULL,
    handle              TEXT,
    issuer              TEXT   NOT NULL,
    pds                 TEXT   NOT NULL,
    client_id           TEXT   NOT NULL,
    auth_method         TEXT   NOT NULL,
    client_kid          TEXT,
    client_thumbprint   TEXT,
    scope               TEXT   NOT NULL,
    token_endpoint      TEXT   NOT NULL,
    revocation_endpoint TEXT,
    secrets             TEXT   NOT NULL,
    expires_at          BIGINT,
    created_at          BIGINT NOT NULL,
    refreshed_at        BIGINT NOT NULL,
    verified_at         BIGINT NOT NULL,
    lease_holder        TEXT,
    lease_until         BIGINT,
    PRIMARY KEY (did, session_id)
);
CREATE INDEX IF NOT EXISTS oauth_sessions_by_creation ON oauth_sessions (created_at);

CREATE TABLE IF NOT EXISTS sessions (
    sid              TEXT   PRIMARY KEY,
    secret_hash      TEXT   NOT NULL UNIQUE,
    did              TEXT   NOT NULL,
    handle           TEXT,
    oauth_session_id TEXT,
    device           TEXT   NOT NULL,
    destination      TEXT,
    granted_scope    TEXT,
    created_at       BIGINT NOT NULL,
    seen_at          BIGINT NOT NULL,
    expires_at       BIGINT NOT NULL,
    ended_at         BIGINT,
    app_name         TEXT
);
CREATE INDEX IF NOT EXISTS sessions_by_did ON sessions (did, oauth_session_id);
CREATE INDEX IF NOT EXISTS sessions_by_expiry ON sessions (expires_at);
CREATE INDEX IF NOT EXISTS sessions_by_end ON sessions (ended_at);

CREATE TABLE IF NOT EXISTS native_logins (
    login_id        TEXT   PRIMARY KEY,
    open_hash       TEXT   NOT NULL UNIQUE,
    app_name        TEXT   NOT NULL,
    user_code       TEXT   NOT NULL,
    code_challenge  TEXT,
    secrets         TEXT   NOT NULL,
    status          TEXT   NOT NULL CHECK (status IN ('pending', 'completed', 'denied')),
    sid             TEXT,
    did             TEXT,
    created_at      BIGINT NOT NULL,
    expires_at      BIGINT NOT NULL,
    opened_at       BIGINT,
    decided_at      BIGINT,
    acknowledged_at BIGINT
);
CREATE INDEX IF NOT EXISTS native_logins_by_expiry ON native_logins (expires_at);
CREATE INDEX IF NOT EXISTS native_logins_by_decision ON native_logins (decided_at);

CREATE TABLE IF NOT EXISTS signing_keys (
    ring         TEXT   NOT NULL CHECK (ring IN ('platform', 'client')),
    kid          TEXT   NOT NULL,
    alg          TEXT   NOT NULL,
    status       TEXT   NOT NULL CHECK (status IN ('next', 'active', 'retired')),
    secrets      TEXT   NOT NULL,
    created_at   BIGINT NOT NULL,
    activated_at BIGINT,
    retired_at   BIGINT,
    PRIMARY KEY (ring, kid)
);

CREATE UNIQUE INDEX IF NOT EXISTS signing_keys_one_of_each
    ON signing_keys (ring, alg, status) WHERE status <> 'retired';

CREATE TABLE IF NOT EXISTS audit_events (
    id         TEXT   PRIMARY KEY,
    event      TEXT   NOT NULL,
    did        TEXT,
    sid        TEXT,
    detail     TEXT   NOT NULL,
    created_at BIGINT NOT NULL
);
CREATE INDEX IF NOT EXISTS audit_events_by_creation ON audit_events (created_at);
CREATE INDEX IF NOT EXISTS audit_events_by_did ON audit_events (did);

CREATE TABLE IF NOT EXISTS cache_entries (
    key        TEXT   PRIMARY KEY,
    value      TEXT   NOT NULL,
    expires_at BIGINT NOT NULL
);
CREATE INDEX IF NOT EXISTS cache_entries_by_expiry ON cache_entries (expires_at);

CREATE TABLE IF NOT EXISTS leases (
    name   TEXT   PRIMARY KEY,
    holder TEXT   NOT NULL,
    until  BIGINT NOT NULL
);
