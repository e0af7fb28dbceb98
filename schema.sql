-- The schema of a new database, inside what SQLite and PostgreSQL share. Keys are text,
-- times are epoch seconds. A change of it is made in app/stores/migrations as well; a
-- test compares what both come to.
-- A column named `secrets` is a JSON object encrypted with AES-256-GCM for its table and
-- row (app/stores/encryption.py). A column named `..._hash` is a SHA-256 in hexadecimal of
-- a random secret.

-- The accounts of the platform: a DID that picked a username, once.
CREATE TABLE IF NOT EXISTS users (
    did               TEXT   PRIMARY KEY,
    username          TEXT   NOT NULL UNIQUE,
    -- What remains of the username when look-alike characters are made equal.
    skeleton          TEXT   NOT NULL UNIQUE,
    -- As last verified in both directions; NULL when no handle verifies.
    handle            TEXT,
    handle_checked_at BIGINT NOT NULL,
    created_at        BIGINT NOT NULL,
    disabled_at       BIGINT,
    -- Authorization server of the last sign-in; another at the next one means a move.
    issuer            TEXT,
    -- When the person last changed the username; NULL when only operators did, or never.
    username_changed_at BIGINT,
    -- From the profile record, as it was at profile_checked_at: the person's own words.
    display_name        TEXT,
    avatar_cid          TEXT,
    profile_checked_at  BIGINT,
    -- The address that the PDS email_host names, while a client is told addresses;
    -- email_confirmed_at is when that PDS last said that the person confirmed it.
    email               TEXT,
    email_host          TEXT,
    email_confirmed_at  BIGINT
);
CREATE INDEX IF NOT EXISTS users_by_handle ON users (handle);

-- Usernames that were given up, by a change or with a deleted account, and that no other
-- account may have for a while.
CREATE TABLE IF NOT EXISTS username_holds (
    skeleton   TEXT   PRIMARY KEY,
    username   TEXT   NOT NULL,
    -- The account that may have the name back; NULL after that was deleted.
    did        TEXT,
    expires_at BIGINT NOT NULL
);
CREATE INDEX IF NOT EXISTS username_holds_by_expiry ON username_holds (expires_at);

-- Links that let newcomers sign up; of each link only the hash of its secret is stored.
CREATE TABLE IF NOT EXISTS invitations (
    invitation_id TEXT   PRIMARY KEY,
    secret_hash   TEXT   NOT NULL UNIQUE,
    -- How many newcomers may sign up with it, and how many have.
    uses          BIGINT NOT NULL,
    used          BIGINT NOT NULL,
    -- The unix user that made it.
    created_by    TEXT   NOT NULL,
    created_at    BIGINT NOT NULL,
    expires_at    BIGINT NOT NULL,
    revoked_at    BIGINT
);
CREATE INDEX IF NOT EXISTS invitations_by_expiry ON invitations (expires_at);

-- Groups of accounts, which operators make: a proxy and an app may let in a group alone.
CREATE TABLE IF NOT EXISTS groups (
    name       TEXT   PRIMARY KEY,
    created_at BIGINT NOT NULL
);
CREATE TABLE IF NOT EXISTS group_members (
    group_name TEXT   NOT NULL,
    -- May have no account yet.
    did        TEXT   NOT NULL,
    added_at   BIGINT NOT NULL,
    PRIMARY KEY (group_name, did)
);
CREATE INDEX IF NOT EXISTS group_members_by_did ON group_members (did);

-- OAuth clients of the platform: apps that sign people in through it.
CREATE TABLE IF NOT EXISTS provider_clients (
    client_id    TEXT   PRIMARY KEY,
    -- What the operator registered, a JSON object (app/flows/provider/registration.py).
    registration TEXT   NOT NULL,
    created_at   BIGINT NOT NULL,
    changed_at   BIGINT NOT NULL,
    disabled_at  BIGINT
);
-- Who may use a client: `everyone`, `group:NAME`, a DID or `*.example.org`, each a row.
CREATE TABLE IF NOT EXISTS provider_policies (
    client_id TEXT NOT NULL,
    who       TEXT NOT NULL,
    PRIMARY KEY (client_id, who)
);
CREATE INDEX IF NOT EXISTS provider_policies_by_who ON provider_policies (who);
-- Client secrets: two of a client may live at once, so that rotating one breaks nothing.
CREATE TABLE IF NOT EXISTS provider_secrets (
    secret_id   TEXT   PRIMARY KEY,
    client_id   TEXT   NOT NULL,
    secret_hash TEXT   NOT NULL UNIQUE,
    created_at  BIGINT NOT NULL
);
CREATE INDEX IF NOT EXISTS provider_secrets_by_client ON provider_secrets (client_id);
-- Authorization codes; a used one is kept for its minute, so that a second use is seen.
CREATE TABLE IF NOT EXISTS provider_codes (
    code_hash      TEXT   PRIMARY KEY,
    -- What a second use ends.
    grant_id       TEXT   NOT NULL,
    client_id      TEXT   NOT NULL,
    redirect_uri   TEXT   NOT NULL,
    did            TEXT   NOT NULL,
    scope          TEXT   NOT NULL,
    nonce          TEXT,
    -- S256; NULL for a client that may leave PKCE out.
    code_challenge TEXT,
    -- When the host last proved the account.
    auth_time      BIGINT NOT NULL,
    expires_at     BIGINT NOT NULL,
    used_at        BIGINT
);
CREATE INDEX IF NOT EXISTS provider_codes_by_expiry ON provider_codes (expires_at);
CREATE INDEX IF NOT EXISTS provider_codes_by_did ON provider_codes (did);

-- What a person lets an app have, one for each authorization code: the family of its
-- tokens. It ends with its session unless its scope has offline_access; an ended one is
-- deleted.
CREATE TABLE IF NOT EXISTS provider_grants (
    -- The `sid` of the app's id_tokens.
    grant_id   TEXT   PRIMARY KEY,
    client_id  TEXT   NOT NULL,
    did        TEXT   NOT NULL,
    scope      TEXT   NOT NULL,
    -- The sid of the platform session.
    session_id TEXT   NOT NULL,
    -- When the host last proved the account.
    auth_time  BIGINT NOT NULL,
    created_at BIGINT NOT NULL,
    -- When tokens were last issued.
    used_at    BIGINT NOT NULL,
    expires_at BIGINT NOT NULL,
    -- Refresh tokens, as in `sessions`; all NULL for a client that gets none.
    refresh_chain_hash    TEXT UNIQUE,
    refresh_hash          TEXT,
    refresh_previous_hash TEXT,
    refresh_successor     TEXT,
    refreshed_at          BIGINT
);
CREATE INDEX IF NOT EXISTS provider_grants_by_did ON provider_grants (did, client_id);
CREATE INDEX IF NOT EXISTS provider_grants_by_client ON provider_grants (client_id);
CREATE INDEX IF NOT EXISTS provider_grants_by_session ON provider_grants (session_id);
CREATE INDEX IF NOT EXISTS provider_grants_by_expiry ON provider_grants (expires_at);
CREATE INDEX IF NOT EXISTS provider_grants_with_successor
    ON provider_grants (refreshed_at) WHERE refresh_successor IS NOT NULL;

-- What people allowed apps; outlives the grants, until the person removes the app.
CREATE TABLE IF NOT EXISTS provider_consents (
    did       TEXT   NOT NULL,
    client_id TEXT   NOT NULL,
    scope     TEXT   NOT NULL,
    given_at  BIGINT NOT NULL,
    PRIMARY KEY (did, client_id)
);
CREATE INDEX IF NOT EXISTS provider_consents_by_client ON provider_consents (client_id);

-- Opaque access tokens.
CREATE TABLE IF NOT EXISTS provider_tokens (
    token_hash TEXT   PRIMARY KEY,
    grant_id   TEXT   NOT NULL,
    scope      TEXT   NOT NULL,
    issued_at  BIGINT NOT NULL,
    expires_at BIGINT NOT NULL
);
CREATE INDEX IF NOT EXISTS provider_tokens_by_grant ON provider_tokens (grant_id);
CREATE INDEX IF NOT EXISTS provider_tokens_by_expiry ON provider_tokens (expires_at);

-- Authorization requests: pushed by a client (RFC 9126), or held while a person signs in
-- or answers.
CREATE TABLE IF NOT EXISTS provider_requests (
    request_hash TEXT   PRIMARY KEY,
    kind         TEXT   NOT NULL CHECK (kind IN ('pushed', 'held')),
    client_id    TEXT   NOT NULL,
    -- A JSON object.
    parameters   TEXT   NOT NULL,
    expires_at   BIGINT NOT NULL,
    used_at      BIGINT,
    -- Where the browser was sent, for a form that comes twice; encrypted as parameters.
    answer       TEXT
);
CREATE INDEX IF NOT EXISTS provider_requests_by_expiry ON provider_requests (expires_at);

-- Client assertions (RFC 7523) that were used: each is good once.
CREATE TABLE IF NOT EXISTS provider_assertions (
    -- Of client_id and jti.
    assertion_hash TEXT   PRIMARY KEY,
    expires_at     BIGINT NOT NULL
);
CREATE INDEX IF NOT EXISTS provider_assertions_by_expiry
    ON provider_assertions (expires_at);

-- Logins that wait for their callback, each taken once (requirements 4.18 and 6.3).
CREATE TABLE IF NOT EXISTS oauth_auth_requests (
    state_hash   TEXT   PRIMARY KEY,
    -- SHA-256 of the secret that the browser holds (requirement 9.12).
    binding      TEXT,
    issuer       TEXT   NOT NULL,
    -- The validated metadata of the authorization server, JSON.
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
    -- PKCE verifier, DPoP key, nonce and the application's own state.
    secrets      TEXT   NOT NULL,
    evidence_at  BIGINT,
    created_at   BIGINT NOT NULL,
    expires_at   BIGINT NOT NULL
);
CREATE INDEX IF NOT EXISTS oauth_auth_requests_by_expiry
    ON oauth_auth_requests (expires_at);

-- First answers of callbacks, for browsers that send their callback twice.
CREATE TABLE IF NOT EXISTS callback_answers (
    -- SHA-256 of the state's hash and the browser's secret.
    id         TEXT   PRIMARY KEY,
    -- Encrypted under the browser's secret; NULL while the first request runs.
    answer     TEXT,
    expires_at BIGINT NOT NULL
);
CREATE INDEX IF NOT EXISTS callback_answers_by_expiry ON callback_answers (expires_at);

-- What an authorization server granted for one account on one device.
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
    -- Access and refresh token, DPoP key and the two nonces.
    secrets             TEXT   NOT NULL,
    -- When the access token ends; NULL when the server did not say.
    expires_at          BIGINT,
    created_at          BIGINT NOT NULL,
    refreshed_at        BIGINT NOT NULL,
    verified_at         BIGINT NOT NULL,
    -- The process that refreshes the session now, and when its lease ends (requirement 7.6).
    lease_holder        TEXT,
    lease_until         BIGINT,
    -- Sweeps that tried to revoke the grant after its session had ended.
    sweep_runs          BIGINT,
    -- When the first of them tried.
    revoking_since      BIGINT,
    -- When the server first refused a refresh in words of its own, and when it is asked
    -- again (requirement 7.17); NULL after a successful refresh.
    refused_at          BIGINT,
    retry_at            BIGINT,
    -- What the login asked for; NULL for a session of release 0.1.
    requested_scope     TEXT,
    PRIMARY KEY (did, session_id)
);
CREATE INDEX IF NOT EXISTS oauth_sessions_by_creation ON oauth_sessions (created_at);
CREATE INDEX IF NOT EXISTS oauth_sessions_by_issuer ON oauth_sessions (issuer);
CREATE INDEX IF NOT EXISTS oauth_sessions_by_pds ON oauth_sessions (pds);

-- Sign-in sessions: one person on one device; the platform token names them by sid.
CREATE TABLE IF NOT EXISTS sessions (
    sid              TEXT   PRIMARY KEY,
    secret_hash      TEXT   NOT NULL UNIQUE,
    did              TEXT   NOT NULL,
    handle           TEXT,
    oauth_session_id TEXT,
    device           TEXT   NOT NULL,
    -- What the session waits for: `signup` (a newcomer's username), `native` (the
    -- confirmation of an app's login), or NULL; `destination` then says, in JSON, where
    -- its login leads. Release 0.1 writes `destination` alone.
    pending_for      TEXT,
    destination      TEXT,
    -- What the host granted at the sign-in; asked for again when its session is over.
    granted_scope    TEXT,
    created_at       BIGINT NOT NULL,
    seen_at          BIGINT NOT NULL,
    expires_at       BIGINT NOT NULL,
    ended_at         BIGINT,
    -- Name of the native app that holds the session; NULL for a browser's.
    app_name         TEXT,
    -- The app's refresh tokens: the name of their chain, the one that is good now, and
    -- the secret that it replaced. All NULL for a browser's session.
    refresh_chain_hash    TEXT,
    refresh_hash          TEXT,
    refresh_previous_hash TEXT,
    -- The good one again, encrypted under the secret that it replaced, for an app that
    -- lost its answer; the sweep clears it.
    refresh_successor     TEXT,
    refreshed_at          BIGINT,
    -- By which the log knows the login that made the session.
    login_id         TEXT
);
CREATE INDEX IF NOT EXISTS sessions_by_did ON sessions (did, oauth_session_id);
CREATE INDEX IF NOT EXISTS sessions_by_expiry ON sessions (expires_at);
CREATE INDEX IF NOT EXISTS sessions_by_end ON sessions (ended_at);
CREATE INDEX IF NOT EXISTS sessions_by_refresh_chain ON sessions (refresh_chain_hash);
CREATE INDEX IF NOT EXISTS sessions_with_successor
    ON sessions (refreshed_at) WHERE refresh_successor IS NOT NULL;

-- Logins that native apps wait for, each decided once in a browser.
CREATE TABLE IF NOT EXISTS native_logins (
    -- SHA-256 of the secret with which the app waits for its token.
    login_id        TEXT   PRIMARY KEY,
    -- SHA-256 of the secret in the link that the app opens in a browser.
    open_hash       TEXT   NOT NULL UNIQUE,
    app_name        TEXT   NOT NULL,
    -- Shown by the app and by our page, to be compared by the person.
    user_code       TEXT   NOT NULL,
    -- Whose verifier the app must prove, S256 (RFC 7636 section 4.2).
    code_challenge  TEXT,
    -- What was typed, the authorization URL and its state.
    secrets         TEXT   NOT NULL,
    status          TEXT   NOT NULL CHECK (status IN ('pending', 'completed', 'denied')),
    -- The session of the app; its token is issued at delivery.
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

-- The two key rings: `platform` signs platform tokens, `client` proves who we are to
-- authorization servers; each key is next, active or retired.
CREATE TABLE IF NOT EXISTS signing_keys (
    ring         TEXT   NOT NULL CHECK (ring IN ('platform', 'client')),
    kid          TEXT   NOT NULL,
    alg          TEXT   NOT NULL,
    status       TEXT   NOT NULL CHECK (status IN ('next', 'active', 'retired')),
    -- The private JWK.
    secrets      TEXT   NOT NULL,
    created_at   BIGINT NOT NULL,
    activated_at BIGINT,
    retired_at   BIGINT,
    PRIMARY KEY (ring, kid)
);
-- Processes that start together make one first key, not one each.
CREATE UNIQUE INDEX IF NOT EXISTS signing_keys_one_of_each
    ON signing_keys (ring, alg, status) WHERE status <> 'retired';

-- Keys that were deleted from a ring. A key never comes back: its file may still be named
-- in the settings, and it may have leaked.
CREATE TABLE IF NOT EXISTS former_keys (
    -- Of the public key, RFC 7638.
    thumbprint TEXT PRIMARY KEY,
    ring       TEXT NOT NULL,
    kid        TEXT NOT NULL
);

-- Events of accounts, sessions and keys; append-only.
CREATE TABLE IF NOT EXISTS audit_events (
    -- Begins with the time in microseconds: sorts in the order of events.
    id         TEXT   PRIMARY KEY,
    event      TEXT   NOT NULL,
    did        TEXT,
    sid        TEXT,
    -- A JSON object without secrets.
    detail     TEXT   NOT NULL,
    created_at BIGINT NOT NULL
);
CREATE INDEX IF NOT EXISTS audit_events_by_creation ON audit_events (created_at);
CREATE INDEX IF NOT EXISTS audit_events_by_did ON audit_events (did);
-- For the account page: a person may have a hundred thousand calls of services.
CREATE INDEX IF NOT EXISTS audit_events_but_calls
    ON audit_events (did, id) WHERE event <> 'xrpc';

-- Keys of services: what GET /auth/events and GET /auth/users take.
CREATE TABLE IF NOT EXISTS service_keys (
    name        TEXT   PRIMARY KEY,
    secret_hash TEXT   NOT NULL UNIQUE,
    -- Rights, separated by commas: `users`, `events`.
    may         TEXT   NOT NULL,
    -- The unix user that made it.
    created_by  TEXT   NOT NULL,
    created_at  BIGINT NOT NULL,
    -- When it was last used, to the minute.
    used_at     BIGINT
);

-- What happened to accounts, for services. Numbers have no gaps and are given in the
-- order of commits (app/stores/services/events.py).
CREATE TABLE IF NOT EXISTS service_events (
    seq        BIGINT PRIMARY KEY,
    event_id   TEXT   NOT NULL,
    event      TEXT   NOT NULL,
    -- NULL after the account was deleted, but in the event that says so.
    did        TEXT,
    -- A JSON object without secrets.
    detail     TEXT   NOT NULL,
    created_at BIGINT NOT NULL
);
CREATE INDEX IF NOT EXISTS service_events_by_creation ON service_events (created_at);
CREATE INDEX IF NOT EXISTS service_events_by_did ON service_events (did);

-- The number of the last service event, in one row that each writer of events locks.
CREATE TABLE IF NOT EXISTS service_event_numbers (
    name    TEXT   PRIMARY KEY,
    last    BIGINT NOT NULL,
    last_at BIGINT NOT NULL
);

-- Public documents and nonces, shared by all workers and nodes.
CREATE TABLE IF NOT EXISTS cache_entries (
    key        TEXT   PRIMARY KEY,
    value      TEXT   NOT NULL,
    expires_at BIGINT NOT NULL
);
CREATE INDEX IF NOT EXISTS cache_entries_by_expiry ON cache_entries (expires_at);

-- Rate limits, on PostgreSQL: the calls of a key in this period and the one before.
CREATE TABLE IF NOT EXISTS rate_counters (
    -- BLAKE2b of the kind of call and the address, host or account.
    key        TEXT   PRIMARY KEY,
    period     BIGINT NOT NULL,
    this       BIGINT NOT NULL,
    previous   BIGINT NOT NULL,
    expires_at BIGINT NOT NULL
);
CREATE INDEX IF NOT EXISTS rate_counters_by_expiry ON rate_counters (expires_at);

-- When the work of a timer last ended: `sweep`, `backup`.
CREATE TABLE IF NOT EXISTS runs (
    name     TEXT   PRIMARY KEY,
    ended_at BIGINT NOT NULL
);

-- Work that one process of all nodes does at a time.
CREATE TABLE IF NOT EXISTS leases (
    name   TEXT   PRIMARY KEY,
    holder TEXT   NOT NULL,
    -- When it ends if its holder has died.
    until  BIGINT NOT NULL
);

-- The release whose schema this is, as alembic records it.
CREATE TABLE IF NOT EXISTS alembic_version (
    version_num VARCHAR(32) NOT NULL,
    CONSTRAINT alembic_version_pkc PRIMARY KEY (version_num)
);

-- The oldest release whose services run on this schema, as nodes do that are upgraded
-- later, and a release that is rolled back to.
CREATE TABLE IF NOT EXISTS schema_support (
    oldest_release TEXT PRIMARY KEY
);
