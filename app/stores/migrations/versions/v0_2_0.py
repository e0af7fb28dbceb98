"""Release 0.2.0: from the schema of 0.1.0 to the one in schema.sql."""

from __future__ import annotations

from app.stores.migrations.steps import add_column, create_index, execute, name_oldest
from app.stores.sql.versions import OLDEST

revision = "0.2.0"
down_revision = "0.1.0"

TABLES = (
    """
    CREATE TABLE IF NOT EXISTS callback_answers (
        id         TEXT   PRIMARY KEY,
        answer     TEXT,
        expires_at BIGINT NOT NULL
    )
    """,
    """
    CREATE TABLE IF NOT EXISTS rate_counters (
        key        TEXT   PRIMARY KEY,
        period     BIGINT NOT NULL,
        this       BIGINT NOT NULL,
        previous   BIGINT NOT NULL,
        expires_at BIGINT NOT NULL
    )
    """,
    """
    CREATE TABLE IF NOT EXISTS runs (
        name     TEXT   PRIMARY KEY,
        ended_at BIGINT NOT NULL
    )
    """,
    """
    CREATE TABLE IF NOT EXISTS username_holds (
        skeleton   TEXT   PRIMARY KEY,
        username   TEXT   NOT NULL,
        did        TEXT,
        expires_at BIGINT NOT NULL
    )
    """,
    """
    CREATE TABLE IF NOT EXISTS former_keys (
        thumbprint TEXT PRIMARY KEY,
        ring       TEXT NOT NULL,
        kid        TEXT NOT NULL
    )
    """,
    """
    CREATE TABLE IF NOT EXISTS invitations (
        invitation_id TEXT   PRIMARY KEY,
        secret_hash   TEXT   NOT NULL UNIQUE,
        uses          BIGINT NOT NULL,
        used          BIGINT NOT NULL,
        created_by    TEXT   NOT NULL,
        created_at    BIGINT NOT NULL,
        expires_at    BIGINT NOT NULL,
        revoked_at    BIGINT
    )
    """,
    """
    CREATE TABLE IF NOT EXISTS groups (
        name       TEXT   PRIMARY KEY,
        created_at BIGINT NOT NULL
    )
    """,
    """
    CREATE TABLE IF NOT EXISTS group_members (
        group_name TEXT   NOT NULL,
        did        TEXT   NOT NULL,
        added_at   BIGINT NOT NULL,
        PRIMARY KEY (group_name, did)
    )
    """,
    """
    CREATE TABLE IF NOT EXISTS provider_clients (
        client_id    TEXT   PRIMARY KEY,
        registration TEXT   NOT NULL,
        created_at   BIGINT NOT NULL,
        changed_at   BIGINT NOT NULL,
        disabled_at  BIGINT
    )
    """,
    """
    CREATE TABLE IF NOT EXISTS provider_grants (
        grant_id   TEXT   PRIMARY KEY,
        client_id  TEXT   NOT NULL,
        did        TEXT   NOT NULL,
        scope      TEXT   NOT NULL,
        session_id TEXT   NOT NULL,
        auth_time  BIGINT NOT NULL,
        created_at BIGINT NOT NULL,
        used_at    BIGINT NOT NULL,
        expires_at BIGINT NOT NULL,
        refresh_chain_hash    TEXT UNIQUE,
        refresh_hash          TEXT,
        refresh_previous_hash TEXT,
        refresh_successor     TEXT,
        refreshed_at          BIGINT
    )
    """,
    """
    CREATE TABLE IF NOT EXISTS provider_consents (
        did       TEXT   NOT NULL,
        client_id TEXT   NOT NULL,
        scope     TEXT   NOT NULL,
        given_at  BIGINT NOT NULL,
        PRIMARY KEY (did, client_id)
    )
    """,
    """
    CREATE TABLE IF NOT EXISTS provider_tokens (
        token_hash TEXT   PRIMARY KEY,
        grant_id   TEXT   NOT NULL,
        scope      TEXT   NOT NULL,
        issued_at  BIGINT NOT NULL,
        expires_at BIGINT NOT NULL
    )
    """,
    """
    CREATE TABLE IF NOT EXISTS provider_requests (
        request_hash TEXT   PRIMARY KEY,
        kind         TEXT   NOT NULL CHECK (kind IN ('pushed', 'held')),
        client_id    TEXT   NOT NULL,
        parameters   TEXT   NOT NULL,
        expires_at   BIGINT NOT NULL,
        used_at      BIGINT,
        answer       TEXT
    )
    """,
    """
    CREATE TABLE IF NOT EXISTS provider_policies (
        client_id TEXT NOT NULL,
        who       TEXT NOT NULL,
        PRIMARY KEY (client_id, who)
    )
    """,
    """
    CREATE TABLE IF NOT EXISTS provider_secrets (
        secret_id   TEXT   PRIMARY KEY,
        client_id   TEXT   NOT NULL,
        secret_hash TEXT   NOT NULL UNIQUE,
        created_at  BIGINT NOT NULL
    )
    """,
    """
    CREATE TABLE IF NOT EXISTS service_keys (
        name        TEXT   PRIMARY KEY,
        secret_hash TEXT   NOT NULL UNIQUE,
        may         TEXT   NOT NULL,
        created_by  TEXT   NOT NULL,
        created_at  BIGINT NOT NULL,
        used_at     BIGINT
    )
    """,
    """
    CREATE TABLE IF NOT EXISTS service_events (
        seq        BIGINT PRIMARY KEY,
        event_id   TEXT   NOT NULL,
        event      TEXT   NOT NULL,
        did        TEXT,
        detail     TEXT   NOT NULL,
        created_at BIGINT NOT NULL
    )
    """,
    """
    CREATE TABLE IF NOT EXISTS service_event_numbers (
        name    TEXT   PRIMARY KEY,
        last    BIGINT NOT NULL,
        last_at BIGINT NOT NULL
    )
    """,
    """
    CREATE TABLE IF NOT EXISTS provider_assertions (
        assertion_hash TEXT   PRIMARY KEY,
        expires_at     BIGINT NOT NULL
    )
    """,
    """
    CREATE TABLE IF NOT EXISTS provider_codes (
        code_hash      TEXT   PRIMARY KEY,
        grant_id       TEXT   NOT NULL,
        client_id      TEXT   NOT NULL,
        redirect_uri   TEXT   NOT NULL,
        did            TEXT   NOT NULL,
        scope          TEXT   NOT NULL,
        nonce          TEXT,
        code_challenge TEXT,
        auth_time      BIGINT NOT NULL,
        expires_at     BIGINT NOT NULL,
        used_at        BIGINT
    )
    """,
    """
    CREATE TABLE IF NOT EXISTS schema_support (
        oldest_release TEXT PRIMARY KEY
    )
    """,
)
COLUMNS = (
    ("oauth_sessions", "sweep_runs", "BIGINT"),
    ("oauth_sessions", "revoking_since", "BIGINT"),
    ("oauth_sessions", "refused_at", "BIGINT"),
    ("oauth_sessions", "retry_at", "BIGINT"),
    ("oauth_sessions", "requested_scope", "TEXT"),
    ("sessions", "pending_for", "TEXT"),
    ("sessions", "refresh_chain_hash", "TEXT"),
    ("sessions", "refresh_hash", "TEXT"),
    ("sessions", "refresh_previous_hash", "TEXT"),
    ("sessions", "refresh_successor", "TEXT"),
    ("sessions", "refreshed_at", "BIGINT"),
    ("sessions", "login_id", "TEXT"),
    ("users", "username_changed_at", "BIGINT"),
    ("users", "display_name", "TEXT"),
    ("users", "avatar_cid", "TEXT"),
    ("users", "profile_checked_at", "BIGINT"),
    ("users", "email", "TEXT"),
    ("users", "email_host", "TEXT"),
    ("users", "email_confirmed_at", "BIGINT"),
)
INDEXES = (
    ("audit_events_but_calls", "audit_events (did, id) WHERE event <> 'xrpc'"),
    ("callback_answers_by_expiry", "callback_answers (expires_at)"),
    ("group_members_by_did", "group_members (did)"),
    ("invitations_by_expiry", "invitations (expires_at)"),
    ("provider_assertions_by_expiry", "provider_assertions (expires_at)"),
    ("provider_codes_by_did", "provider_codes (did)"),
    ("provider_codes_by_expiry", "provider_codes (expires_at)"),
    ("provider_grants_by_did", "provider_grants (did, client_id)"),
    ("provider_grants_by_client", "provider_grants (client_id)"),
    ("provider_grants_by_session", "provider_grants (session_id)"),
    ("provider_grants_by_expiry", "provider_grants (expires_at)"),
    (
        "provider_grants_with_successor",
        "provider_grants (refreshed_at) WHERE refresh_successor IS NOT NULL",
    ),
    ("provider_consents_by_client", "provider_consents (client_id)"),
    ("provider_tokens_by_grant", "provider_tokens (grant_id)"),
    ("provider_tokens_by_expiry", "provider_tokens (expires_at)"),
    ("provider_requests_by_expiry", "provider_requests (expires_at)"),
    ("provider_policies_by_who", "provider_policies (who)"),
    ("provider_secrets_by_client", "provider_secrets (client_id)"),
    ("rate_counters_by_expiry", "rate_counters (expires_at)"),
    ("oauth_sessions_by_issuer", "oauth_sessions (issuer)"),
    ("oauth_sessions_by_pds", "oauth_sessions (pds)"),
    ("service_events_by_creation", "service_events (created_at)"),
    ("service_events_by_did", "service_events (did)"),
    ("sessions_by_refresh_chain", "sessions (refresh_chain_hash)"),
    (
        "sessions_with_successor",
        "sessions (refreshed_at) WHERE refresh_successor IS NOT NULL",
    ),
    ("username_holds_by_expiry", "username_holds (expires_at)"),
    ("users_by_handle", "users (handle)"),
)


def upgrade() -> None:
    """Add tables, then columns, then indexes."""
    for statement in TABLES:
        execute(statement)
    for table, column, kind in COLUMNS:
        add_column(table, column, kind)
    for name, on in INDEXES:
        create_index(name, on)
    name_oldest(OLDEST)
