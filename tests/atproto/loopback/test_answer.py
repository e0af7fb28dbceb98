"""The answer that a browser brings to a loopback listener, as text."""

from __future__ import annotations

import pytest

from app.atproto.errors import CallbackMalformed
from app.atproto.loopback.answer import MOST_PARAMETERS, parse_answer


def test_answer_of_more_than_fifty_parameters_raises_callback_malformed() -> None:
    most = "&".join(f"p{number}=x" for number in range(MOST_PARAMETERS))

    assert len(parse_answer(most)) == MOST_PARAMETERS
    with pytest.raises(CallbackMalformed):
        parse_answer(f"{most}&state=x")
