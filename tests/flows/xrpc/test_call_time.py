"""How long a call may take: longer for what is large, and never for ever."""

from __future__ import annotations

import io

import pytest

from app.flows.xrpc.allow_list import UPLOAD_BLOB, Call
from app.flows.xrpc.call import CALL_BUDGET, LONGEST_BUDGET, Upload, _budget


@pytest.mark.parametrize(
    ("size", "seconds"),
    [(0, CALL_BUDGET), (2_000_000, CALL_BUDGET + 1), (10**9, LONGEST_BUDGET)],
)
def test_time_of_a_call_grows_with_its_body_up_to_a_limit(size, seconds):
    upload = Upload(file=io.BytesIO(), size=size)

    assert _budget(Call(verb="POST", nsid=UPLOAD_BLOB), upload) == seconds


def test_time_of_a_call_without_a_body_is_the_usual_one():
    assert _budget(Call(verb="GET", nsid="a.b.c"), None) == CALL_BUDGET
