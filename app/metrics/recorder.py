"""Recorder: an observer that counts the events of the client and of the service."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any, Final

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from app.atproto import events as client
from app.telemetry import events as service

from . import instruments as of
from .instruments import COUNTED, Instrument
from .labels import host_class, limit_of, outcome_of, result_of, status_class

log = logging.getLogger(__name__)

WAITING: Final = frozenset({"/auth/native/login/<session_id>/await"})
"""Routes whose requests last as long as a person takes: their time says nothing."""


class Recorder:
    """Counts events; one for each process, in files where several processes count."""

    def __init__(self, registry: CollectorRegistry, *, plc: str) -> None:
        """Make the instruments; `plc` is the host of the PLC directory."""
        self._plc = plc
        self._made: dict[str, Any] = {one.name: _made(one, registry) for one in COUNTED}
        self._counted: dict[type, Callable[[Any], None]] = {
            client.CallbackReceived: self._callback_received,
            client.RequestEnded: self._request_ended,
            client.NonceRetried: self._nonce_retried,
            client.RefreshEnded: self._refresh_ended,
            service.SignInStep: self._sign_in_step,
            service.NativeLoginStep: self._native_login_step,
            service.AppRefresh: self._app_refresh,
            service.TokenVerified: self._token_verified,
            service.CallEnded: self._call_ended,
            service.PlaceTaken: self._place_taken,
            service.ConnectionsUsed: self._connections_used,
            service.RequestServed: self._request_served,
            service.FailureAnswered: self._failure_answered,
            service.SweepEnded: self._sweep_ended,
        }

    def observe(self, event: object) -> None:
        """Count an event. A disk that refuses the count fails no request."""
        try:
            self._counted[type(event)](event)
        except OSError as error:
            log.warning("a metric is not counted: %s", error)

    def _count(self, one: Instrument, *labels: str, by: float = 1) -> None:
        self._made[one.name].labels(*labels).inc(by)

    def _callback_received(self, event: client.CallbackReceived) -> None:
        self._made[of.AT_HOST.name].observe(max(0.0, event.waited))

    def _request_ended(self, event: client.RequestEnded) -> None:
        host, result = host_class(event.host, self._plc), result_of(event)
        self._count(of.OUTGOING, event.kind, host, result)
        self._made[of.OUTGOING_SECONDS.name].labels(event.kind).observe(event.seconds)

    def _nonce_retried(self, event: client.NonceRetried) -> None:
        self._count(of.NONCE_RETRIES, event.kind)

    def _refresh_ended(self, event: client.RefreshEnded) -> None:
        self._count(of.REFRESHES, event.outcome)

    def _sign_in_step(self, event: service.SignInStep) -> None:
        self._count(of.SIGN_INS, event.step, *outcome_of(event.error))
        time = of.TO_HOST if event.step == "start" else of.CALLBACK
        self._made[time.name].observe(event.seconds)

    def _native_login_step(self, event: service.NativeLoginStep) -> None:
        self._count(of.NATIVE_LOGINS, event.outcome)

    def _app_refresh(self, event: service.AppRefresh) -> None:
        self._count(of.APP_REFRESHES, event.result)

    def _token_verified(self, event: service.TokenVerified) -> None:
        self._count(of.VERIFICATIONS, event.result)

    def _call_ended(self, event: service.CallEnded) -> None:
        self._count(of.XRPC_CALLS, event.code or status_class(event.status))

    def _place_taken(self, event: service.PlaceTaken) -> None:
        self._count(of.PLACES, event.place, by=event.change)

    def _connections_used(self, event: service.ConnectionsUsed) -> None:
        self._made[of.CONNECTIONS.name].set(event.count)

    def _request_served(self, event: service.RequestServed) -> None:
        route = event.route or "unmatched"
        self._count(of.REQUESTS, route, status_class(event.status))
        if route not in WAITING:
            self._made[of.REQUEST_SECONDS.name].labels(route).observe(event.seconds)

    def _failure_answered(self, event: service.FailureAnswered) -> None:
        self._count(of.FAILURES, event.code)
        if (limit := limit_of(event.error)) is not None:
            self._count(of.REFUSALS, limit)

    def _sweep_ended(self, event: service.SweepEnded) -> None:
        if event.rows is None:
            self._count(of.SWEEPS, "failed")
            return
        self._count(of.SWEEPS, "done")
        for kind, rows in event.rows.items():
            self._count(of.SWEPT_ROWS, kind, by=rows)


def _made(one: Instrument, registry: CollectorRegistry) -> Counter | Gauge | Histogram:
    named: dict[str, Any] = {
        "name": one.name,
        "documentation": one.meaning,
        "labelnames": one.labels,
        "registry": registry,
    }
    match one.kind:
        case "counter":
            return Counter(**named)
        case "gauge":
            return Gauge(**named, multiprocess_mode="livesum")
        case "histogram":
            return Histogram(**named, buckets=one.buckets)
