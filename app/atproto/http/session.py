"""The `requests` session and the TLS context of the process.

requests-hardened provides the session (no redirects, a default time limit). Its adapter
is not used: it looks a name up before every request and without a time limit, knows one
address per host, and turns off the host name check of a shared TLS context.
"""

from __future__ import annotations

import ssl
from functools import cache
from http.cookiejar import DefaultCookiePolicy
from typing import Any

import requests
from requests.adapters import BaseAdapter, HTTPAdapter
from requests.cookies import RequestsCookieJar
from requests_hardened import Config, HTTPSession
from urllib3 import HTTPConnectionPool
from urllib3.util import Retry, Timeout

from .pool import Pools

CONNECT_LIMIT = 5.0
"""Seconds for DNS, TCP and TLS together: shorter than the limit of a slow answer."""


class _Session(HTTPSession):  # type: ignore[misc] # requests-hardened has no types
    """requests-hardened's session, which ignores redirects.

    With redirects off, requests still prepares the next request for `Response.next` and
    reads the whole body of the redirect for it: decompressed and without a limit.
    """

    def get_redirect_target(self, resp: requests.Response) -> None:
        """Return nothing, see above."""


class _NoCookies(RequestsCookieJar):
    """The cookie jar of the session, which stays empty."""

    def extract_cookies(self, *_: Any) -> None:
        """Keep nothing, and do not parse it."""


class Adapter(HTTPAdapter):
    """Passes requests to our pools; the shared context verifies certificates."""

    def __init__(self, pools: Pools) -> None:
        super().__init__(max_retries=Retry(total=False))
        self.poolmanager = self._pools = pools

    def get_connection_with_tls_context(
        self, request: Any, *_: Any, **__: Any
    ) -> HTTPConnectionPool:
        """Return the pool of the host; there are no proxies and no other contexts."""
        return self._pools.pool_of(request.url)

    def build_response(self, req: Any, resp: Any) -> requests.Response:
        """Return the response; cookies and the encoding of a text are not looked for.

        The headers are urllib3's, which are case-insensitive already.
        """
        response = requests.Response()
        response.status_code, response.reason = resp.status, resp.reason
        response.headers, response.raw = resp.headers, resp
        response.url, response.request = req.url, req
        return response

    def cert_verify(self, *_: Any, **__: Any) -> None:
        """Do nothing: the context has loaded the CA bundle, once for the process.

        Parsing it for each connection would be the largest part of a login's CPU.
        """

    def send(self, request: Any, *args: Any, **kwargs: Any) -> requests.Response:
        """Send with one time limit for all phases together."""
        connect, total = kwargs["timeout"]
        kwargs["timeout"] = Timeout(connect=connect, read=total, total=total)
        return super().send(request, *args, **kwargs)


def trusting(ca_bundle: str | None) -> ssl.SSLContext:
    """Return a TLS context that trusts a CA bundle, or the system's certificates."""
    if ca_bundle is None:
        return _trusting_system()
    return ssl.create_default_context(cafile=ca_bundle)


@cache
def _trusting_system() -> ssl.SSLContext:
    """Return the one of this process: reading the system's certificates is slow."""
    return ssl.create_default_context()


def open_session(adapter: BaseAdapter) -> HTTPSession:
    """Return a session that takes nothing from the environment and keeps no cookies."""
    session = _Session(
        Config(
            ip_filter_enable=False,  # applied while connecting, see the module
            ip_filter_allow_loopback_ips=False,
            never_redirect=True,
            default_timeout=(CONNECT_LIMIT, CONNECT_LIMIT),
        )
    )
    session.trust_env = False  # no proxies, .netrc, REQUESTS_CA_BUNDLE
    session.cookies = _NoCookies(DefaultCookiePolicy(allowed_domains=[]))
    session.mount("https://", adapter)
    session.mount("http://", adapter)
    return session
