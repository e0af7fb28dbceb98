"""Instruments: each metric with its labels and its meaning (docs/metrics.md).

Every value of a label is a word of ours, from a list or a table of the code. A text of
a stranger never becomes one: each new value would be a series that is kept.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

Kind = Literal["counter", "histogram", "gauge"]

QUICK: Final = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
PATIENT: Final = (2.0, 5.0, 10.0, 20.0, 40.0, 60.0, 120.0, 300.0, 600.0, 1800.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Instrument:
    """A metric; the gauges of several processes are summed."""

    kind: Kind
    name: str
    labels: tuple[str, ...] = ()
    meaning: str
    buckets: tuple[float, ...] = ()


SIGN_INS: Final = Instrument(
    kind="counter",
    name="latchkey_sign_ins_total",
    labels=("step", "outcome", "code"),
    meaning="Halves of logins, `start` (form) and `finish` (callback): `ok`, `refused` "
    "(the person's or the host's answer, 4xx) or `failed` (5xx), with the code.",
)
TO_HOST: Final = Instrument(
    kind="histogram",
    name="latchkey_sign_in_to_host_seconds",
    meaning="Time from the form to the redirect to the host: look-ups and PAR.",
    buckets=QUICK,
)
AT_HOST: Final = Instrument(
    kind="histogram",
    name="latchkey_sign_in_at_host_seconds",
    meaning="Time from the push of the request to the callback: the person's at the "
    "host.",
    buckets=PATIENT,
)
CALLBACK: Final = Instrument(
    kind="histogram",
    name="latchkey_sign_in_callback_seconds",
    meaning="Time of the callback: code exchange and issuer verification.",
    buckets=QUICK,
)
OUTGOING: Final = Instrument(
    kind="counter",
    name="latchkey_outgoing_requests_total",
    labels=("kind", "host", "result"),
    meaning="Requests to other hosts by kind, class of the host (`plc`, `bsky`, "
    "`other`) and result: a class of statuses, or why there was no answer.",
)
OUTGOING_SECONDS: Final = Instrument(
    kind="histogram",
    name="latchkey_outgoing_request_seconds",
    labels=("kind",),
    meaning="Time of requests to other hosts.",
    buckets=QUICK,
)
NONCE_RETRIES: Final = Instrument(
    kind="counter",
    name="latchkey_nonce_retries_total",
    labels=("kind",),
    meaning="Requests sent again with the DPoP nonce that a server asked for.",
)
REFRESHES: Final = Instrument(
    kind="counter",
    name="latchkey_refreshes_total",
    labels=("outcome",),
    meaning="Refreshes of sessions at hosts: `refreshed`, `failed` (the session "
    "stays), `busy`, or why the session ended.",
)
NATIVE_LOGINS: Final = Instrument(
    kind="counter",
    name="latchkey_native_logins_total",
    labels=("outcome",),
    meaning="Logins of apps: `started`, `allowed`, `denied`, `delivered`.",
)
APP_REFRESHES: Final = Instrument(
    kind="counter",
    name="latchkey_app_refreshes_total",
    labels=("result",),
    meaning="Refresh tokens of apps: `rotated`, `repeated` (a lost answer), `refused`; "
    "`reused` ones, which are refused too, ended a session.",
)
VERIFICATIONS: Final = Instrument(
    kind="counter",
    name="latchkey_verifications_total",
    labels=("result",),
    meaning="Tokens at /auth/verify: known (`hit`), asked for (`miss`), `invalid`, or "
    "judged while the database did not answer (`outage`).",
)
XRPC_CALLS: Final = Instrument(
    kind="counter",
    name="latchkey_xrpc_calls_total",
    labels=("outcome",),
    meaning="Calls of /auth/xrpc: the class of the PDS's status, or the code of our "
    "own refusal.",
)
REFUSALS: Final = Instrument(
    kind="counter",
    name="latchkey_rate_limit_refusals_total",
    labels=("limit",),
    meaning="Requests refused with 429, by the limit that was reached.",
)
FAILURES: Final = Instrument(
    kind="counter",
    name="latchkey_failures_total",
    labels=("code",),
    meaning="Failures shown to people and programs, by HTTP and gRPC, by code.",
)
REQUESTS: Final = Instrument(
    kind="counter",
    name="latchkey_requests_total",
    labels=("route", "status"),
    meaning="Requests by template of the route (`unmatched` without one) and class of "
    "the status.",
)
REQUEST_SECONDS: Final = Instrument(
    kind="histogram",
    name="latchkey_request_seconds",
    labels=("route",),
    meaning="Time of requests, streams and waiting polls apart.",
    buckets=QUICK,
)
PLACES: Final = Instrument(
    kind="gauge",
    name="latchkey_places_in_use",
    labels=("place",),
    meaning="Places of the concurrency limits in use: `logins` that wait for "
    "hosts, `streams` of awaiting apps, `calls` on hosts, `calls_of_pds`, "
    "`polls` of services for events.",
)
CONNECTIONS: Final = Instrument(
    kind="gauge",
    name="latchkey_database_connections_in_use",
    meaning="Connections of the database pools in use.",
)
SWEEPS: Final = Instrument(
    kind="counter",
    name="latchkey_sweeps_total",
    labels=("outcome",),
    meaning="Sweeps of this host: `done` or `failed`.",
)
SWEPT_ROWS: Final = Instrument(
    kind="counter",
    name="latchkey_swept_rows_total",
    labels=("kind",),
    meaning="Rows that sweeps of this host deleted.",
)

COUNTED: Final = (
    *(SIGN_INS, TO_HOST, AT_HOST, CALLBACK, OUTGOING, OUTGOING_SECONDS),
    *(NONCE_RETRIES, REFRESHES, NATIVE_LOGINS, APP_REFRESHES, VERIFICATIONS),
    *(XRPC_CALLS, REFUSALS, FAILURES, REQUESTS, REQUEST_SECONDS, PLACES),
    *(CONNECTIONS, SWEEPS, SWEPT_ROWS),
)
"""What processes count while they serve."""

SESSIONS: Final = Instrument(
    kind="gauge",
    name="latchkey_sessions",
    labels=("holder",),
    meaning="Live sessions, of browsers and of apps.",
)
ROWS: Final = Instrument(
    kind="gauge",
    name="latchkey_table_rows",
    labels=("table",),
    meaning="Rows of each table.",
)
KEY_AGE: Final = Instrument(
    kind="gauge",
    name="latchkey_key_age_seconds",
    labels=("ring", "status"),
    meaning="Age of the oldest signing key of each ring and status.",
)
LAST_RUN: Final = Instrument(
    kind="gauge",
    name="latchkey_last_run_timestamp_seconds",
    labels=("run",),
    meaning="When a `sweep` and a `backup` last came to their end on any node, in "
    "epoch seconds.",
)
DATABASE_UP: Final = Instrument(
    kind="gauge",
    name="latchkey_database_up",
    meaning="1 when the database answered the exporter's last question, else 0.",
)
BUILD: Final = Instrument(
    kind="gauge",
    name="latchkey_build_info",
    labels=("version",),
    meaning="Always 1; the label is the release that runs.",
)

READ: Final = (SESSIONS, ROWS, KEY_AGE, LAST_RUN, DATABASE_UP, BUILD)
"""What the exporter reads from the database, once a minute at most."""
