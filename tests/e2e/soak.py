"""A soak: threads of several processes use the same sessions until the time is over.

A module of its own, for new processes to import. Every failure is counted and
told, never raised: the test decides what may have happened.
"""

from __future__ import annotations

import json
import multiprocessing
import time
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from typing import Any

from app.atproto import AtprotoError, Deadline, LiveSession, OAuthSession, Response
from app.stores.people.oauth_sessions import SqlSessionStore
from tests.e2e.relay import GET_SESSION, TRACK, Desk, Relay

PROCESSES = 3
THREADS = 4
PATIENCE = 30.0
SLACK = 120.0
"""Seconds for processes to start, and to end their last calls."""

REFRESHES, CHALLENGES = "refreshes", "refusals, nonce challenges among them"

Key = tuple[Any, str]


@dataclass(frozen=True, kw_only=True)
class Shift:
    """What one process is to do."""

    desk: Desk
    sessions: Sequence[Key]
    seconds: float


def soak(
    desk: Desk, sessions: Sequence[OAuthSession], *, seconds: float
) -> Counter[str]:
    """Use the sessions from all processes; return how often what happened."""
    shift = Shift(
        desk=desk,
        sessions=[(one.did, one.session_id) for one in sessions],
        seconds=seconds,
    )
    context = multiprocessing.get_context("spawn")
    with context.Pool(PROCESSES) as pool:
        shifts = pool.map_async(work, [shift] * PROCESSES, chunksize=1)
        return sum(shifts.get(timeout=seconds + SLACK), Counter[str]())


# --- in the other processes -----------------------------------------------------------


class Counting(SqlSessionStore):
    """The store, which remembers the pairs that it committed."""

    def __init__(self, *parts: Any) -> None:
        super().__init__(*parts)
        self.commits: list[str] = []

    def replace(self, session: OAuthSession, *, holder: str) -> bool:
        is_stored = super().replace(session, holder=holder)
        if is_stored:
            self.commits.append(session.session_id)
        return is_stored


def work(shift: Shift) -> Counter[str]:
    """Call from all threads of this process until the shift is over."""
    relay = Relay(shift.desk, store=Counting)
    ends = time.monotonic() + shift.seconds
    with ThreadPoolExecutor(THREADS) as pool:
        lots = pool.map(
            partial(call_until, ends, relay, shift.sessions), range(THREADS)
        )
        counted = sum(lots, Counter[str]())
    counted[REFRESHES] = len(relay.sessions.commits)
    counted[CHALLENGES] = sum(status in {400, 401} for _, status in relay.http.log)
    relay.close()
    return counted


def call_until(
    ends: float, relay: Relay, sessions: Sequence[Key], thread: int
) -> Counter[str]:
    """Call with one session after the other; every tenth call writes."""
    counted: Counter[str] = Counter()
    turn = thread
    while time.monotonic() < ends:
        did, session_id = sessions[turn % len(sessions)]
        call = write if turn % 10 == 0 else read
        try:
            answer = call(relay.client.restore(did, session_id))
        except AtprotoError as error:
            counted[f"{type(error).__name__}: {error}"] += 1
        else:
            counted[f"{call.__name__}s answered {answer.status}"] += 1
        turn += 1
    return counted


def read(live: LiveSession) -> Response:
    return live.request("GET", GET_SESSION, deadline=Deadline.after(PATIENCE))


def write(live: LiveSession) -> Response:
    record = {"$type": TRACK, "title": "Night train"}
    body = {"repo": live.did, "collection": TRACK, "record": record}
    return live.request(
        "POST",
        "/xrpc/com.atproto.repo.createRecord",
        headers={"Content-Type": "application/json"},
        body=json.dumps(body).encode(),
        deadline=Deadline.after(PATIENCE),
    )
