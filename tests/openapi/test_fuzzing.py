"""schemathesis calls every operation of docs/openapi.yaml on the fake network.

No answer is 500, and each one is documented. `LATCHKEY_FUZZ_EXAMPLES=500` looks longer
than `make test` does, and `--hypothesis-profile=exploring` looks elsewhere.
"""

from __future__ import annotations

import os
from functools import cache
from typing import TYPE_CHECKING, Any

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from schemathesis.checks import (
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from tests.openapi.document import document, operations
from tests.service import HOME
from tests.signed import signs_in

if TYPE_CHECKING:
    from collections.abc import Callable

    from schemathesis.schemas import APIOperation

    from tests.fakes.browser import Browser
    from tests.service import Service

EXAMPLES = int(os.environ.get("LATCHKEY_FUZZ_EXAMPLES", "4"))
CHECKS = [
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
]
OURS = {"Origin": HOME, "Sec-Fetch-Site": "same-origin", "Sec-Fetch-Mode": "navigate"}


@cache
def fuzzed() -> dict[tuple[str, str], APIOperation]:
    """Return the operations by path and method; made once, which takes 0.5 seconds."""
    schema = schemathesis.openapi.from_dict(dict(document()))
    found = (result.ok() for result in schema.get_all_operations())
    return {(one.path, one.method): one for one in found}


@pytest.fixture
def service(open_service: Callable[..., Service]) -> Service:
    """A platform with all that can be switched on, and bounds out of the way."""
    return open_service(
        rate_limit_failed_tokens_per_address="100000/minute",
        forward_auth_preflight="pass",
    )


@pytest.fixture
def browser(service: Service) -> Browser:
    """A browser that is signed in."""
    return signs_in(
        service, service.browser(), "alice.skyhost.social", username="alice"
    )


def sent(browser: Browser) -> dict[str, dict[str, str]]:
    """Return what each kind of visitor sends with every request."""
    cookie = {"Cookie": browser.jar.header(HOME, method="GET", cross_site=False)}
    token = browser.jar.get("platform_token")
    bearer = {"Authorization": f"Bearer {token.value if token else ''}"}
    return {
        "page of ours": OURS | cookie,
        "program": bearer,
        "stranger": {"Accept": "application/json"},
    }


@pytest.mark.parametrize(
    ("path", "method"), [(one.path, one.method) for one in operations()]
)
def test_operation_gives_documented_answers(
    service: Service, browser: Browser, path: str, method: str
):
    operation = fuzzed()[path, method]
    visitors = sent(browser)

    @settings(
        settings.get_profile("gate"),
        max_examples=EXAMPLES,
        database=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(case=operation.as_strategy(), visitor=st.sampled_from(sorted(visitors)))
    def call(case: Any, visitor: str) -> None:
        headers = visitors[visitor]
        response = case.call(base_url=HOME, headers=headers, app=service.app)
        case.validate_response(response, checks=CHECKS)
        assert response.status_code != 500

    call()
