"""Turns: one thread of the asynchronous client computes, the others wait."""

from __future__ import annotations

import socket
import threading

from app.atproto.http.sockets import BudgetSocket
from app.atproto.http.turns import Turns, waiting

LONG = 20


def test_second_thread_computes_when_the_first_waits() -> None:
    turns, order = Turns(), []
    first_has_it, second_is_done = threading.Event(), threading.Event()

    def second() -> None:
        first_has_it.wait(LONG)
        with turns.taken():
            order.append("second")
        second_is_done.set()

    thread = threading.Thread(target=second)
    thread.start()
    with turns.taken():
        first_has_it.set()
        order.append("first")
        with waiting():
            assert second_is_done.wait(LONG)
        order.append("first again")
    thread.join(LONG)

    assert order == ["first", "second", "first again"]
    assert not turns._free.locked()


def test_nested_waits_give_the_turn_back_once() -> None:
    turns = Turns()

    with turns.taken():
        with waiting(), waiting():
            assert not turns._free.locked()
        assert turns._free.locked()

    assert not turns._free.locked()


def test_waiting_without_turns_changes_nothing() -> None:
    with waiting():
        pass


def test_thread_that_waits_for_a_socket_has_no_turn() -> None:
    turns = Turns()
    ours, theirs = socket.socketpair()
    received = []
    begun = threading.Event()

    def receive() -> None:
        with turns.taken(), BudgetSocket(fileno=ours.detach()) as sock:
            sock.settimeout(LONG)
            begun.set()
            received.append(sock.recv(10))

    thread = threading.Thread(target=receive)
    thread.start()
    with theirs:
        assert begun.wait(LONG)
        assert turns._free.acquire(timeout=LONG)
        turns._free.release()
        theirs.sendall(b"answer")
        thread.join(LONG)

    assert received == [b"answer"]
