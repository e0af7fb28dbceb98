"""One step of each part of `make bench`: it runs and prints. Nothing is timed."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

from tests.bench.__main__ import PARTS
from tests.bench.asynchronous import measure_asynchronous
from tests.bench.awaiting import ONE_STEP, measure_awaiting
from tests.bench.provider import ONE_STEP as ONE_SIGN_IN
from tests.bench.provider import measure_provider
from tests.bench.proxied import measure_proxied
from tests.bench.signing import measure_signing
from tests.bench.storing import measure_storing
from tests.bench.verifying import ONE_STEP as ONE_REQUEST
from tests.bench.verifying import measure_verifying

if TYPE_CHECKING:
    from collections.abc import Callable

STEPS: dict[str, Callable[[], None]] = {
    "signing": lambda: measure_signing(repetitions=1, request=0.0),
    "storing": lambda: measure_storing(cycles=1, repetitions=1),
    "awaiting": lambda: measure_awaiting(ONE_STEP),
    "asynchronous": lambda: measure_asynchronous(calls=2, delay=0.0, rounds=1),
    "verifying": lambda: measure_verifying(ONE_REQUEST),
    "proxied": lambda: measure_proxied(ONE_REQUEST),
    "provider": lambda: measure_provider(ONE_SIGN_IN),
}


@pytest.mark.process
@pytest.mark.parametrize("part", PARTS)
def test_one_step_of_the_benchmark_prints_a_figure(
    part: str, capsys: pytest.CaptureFixture[str]
) -> None:
    STEPS[part]()

    assert re.search(r"\d\.\d", capsys.readouterr().out)
