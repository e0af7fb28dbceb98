"""The Caddy proxy: forwarded headers, private paths, logs, redirects."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.deploy.deployment import HOST, Deployment
from tests.deploy.machine import request

COULD_NOT_CONNECT = 7  # curl's exit statuses
TIMED_OUT = 28
CANARY = "canary-7f3a"
CALLBACK = f"/auth/callback?code={CANARY}&state={CANARY}&iss=https%3A%2F%2Fpds.test"
SECRETS = [
    "--header",
    f"Cookie: {CANARY}",
    "--header",
    f"Referer: https://{HOST}{CALLBACK}",
    "--header",
    f"X-Original-URL: https://{HOST}{CALLBACK}",
]
# Stands in for the service and answers with the headers that it was sent, and a
# Location such as the authorization request's; or with one event, and then nothing.
ECHO = f"""
import http.server, time
class Echo(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        if self.path == "/events":
            self.send_header("Content-Type", "text/event-stream")
            self.end_headers()
            self.wfile.write(b"data: now\\n\\n")
            time.sleep(60)
            return
        self.send_header("Location", "https://pds.test/?request_uri={CANARY}")
        self.end_headers()
        self.wfile.write(str(self.headers).encode())
http.server.ThreadingHTTPServer(("127.0.0.1", 8000), Echo).serve_forever()
"""


@pytest.fixture
def echo(deployment: Deployment) -> Iterator[None]:
    """Put the echo in the place of the service."""
    machine = deployment.machine
    (machine.root / "root/echo.py").write_text(ECHO)
    machine.run("systemctl stop latchkey.socket latchkey.service")
    machine.run("systemd-run --quiet --collect --unit=echo python3 /root/echo.py")
    patience = "--retry 20 --retry-connrefused --retry-delay 1"
    machine.run(f"curl --silent {patience} 127.0.0.1:8000")
    yield
    machine.run("systemctl stop echo")
    machine.run("systemctl start latchkey.socket latchkey.service")


@pytest.fixture
def stopped(deployment: Deployment) -> Iterator[None]:
    """Stop the service."""
    deployment.machine.run("systemctl stop latchkey.socket latchkey.service")
    yield
    deployment.machine.run("systemctl start latchkey.socket latchkey.service")


def test_forwarded_for_of_the_client_is_replaced(deployment: Deployment, echo: None):
    lies = ["For: 6.6.6.6", "Host: evil.example", "Proto: http"]
    spoofed = [f"-HX-Forwarded-{lie}" for lie in lies]

    answer = deployment.public("/", *spoofed, "-HForwarded: for=6.6.6.6")

    headers = answer.body

    assert "X-Forwarded-For: 127.0.0.1\n" in headers
    assert f"X-Forwarded-Host: {HOST}\n" in headers
    assert "X-Forwarded-Proto: https\n" in headers
    assert "6.6.6.6" not in headers
    assert "evil.example" not in headers


def test_proxy_does_not_buffer_events(deployment: Deployment, echo: None):
    """An awaiting app gets an event at once, not at the end of its stream."""
    curl = "curl --silent --insecure --no-buffer --max-time 10"

    answer = deployment.machine.run(f"{curl} https://{HOST}/events", check=False)

    assert answer.returncode == TIMED_OUT  # the stream was open still
    assert answer.stdout == "data: now\n\n"


def test_no_log_holds_a_code_a_cookie_or_a_request_uri(
    deployment: Deployment, echo: None
):
    deployment.public(CALLBACK, *SECRETS)
    deployment.public(f"/auth/native/login/{CANARY}/await")
    request(deployment.machine, f"http://{HOST}{CALLBACK}")

    log = proxy_log(deployment)
    assert log.count('"uri":"/auth/callback"') >= 2
    assert "/auth/native/login/" in log
    assert CANARY not in log


def test_no_log_holds_a_code_when_the_service_is_down(
    deployment: Deployment, stopped: None
):
    answer = deployment.public(CALLBACK, *SECRETS)

    log = proxy_log(deployment)
    assert answer.status == 502
    assert '"status":502' in log
    assert CANARY not in log


def test_stopped_service_returns_a_message_and_retry_after(
    deployment: Deployment, stopped: None
):
    answer = deployment.public("/auth/login")

    assert answer.headers["retry-after"] == ["5"]
    assert "try again" in answer.body


@pytest.mark.parametrize("path", ["/readyz", "/metrics"])
def test_readyz_and_metrics_are_not_served_by_the_proxy(
    deployment: Deployment, path: str
):
    assert deployment.public(path).status == 404


def test_plain_http_is_sent_to_https(deployment: Deployment):
    answer = request(deployment.machine, f"http://{HOST}/auth/login")

    assert answer.status == 308
    assert answer.headers["location"] == [f"https://{HOST}/auth/login"]


def test_plain_http_for_another_host_is_not_redirected(deployment: Deployment):
    other = ["--header", "Host: evil.example"]

    answer = request(deployment.machine, "http://127.0.0.1/", *other)

    assert "location" not in answer.headers


def test_https_response_of_the_proxy_has_hsts(deployment: Deployment):
    answer = deployment.public("/auth/login")

    assert answer.headers["strict-transport-security"] == ["max-age=31536000"]


def test_proxy_admin_socket_is_open_to_root_and_caddy_only(deployment: Deployment):
    usual = deployment.machine.run("curl --silent 127.0.0.1:2019/config/", check=False)
    directory = deployment.machine.output("stat -c '%U %a' /run/caddy")

    assert usual.returncode == COULD_NOT_CONNECT
    assert directory == "caddy 700"


def proxy_log(deployment: Deployment) -> str:
    """Return everything that Caddy has written."""
    deployment.machine.run("journalctl --sync")
    files = "find /var/log -path '*caddy*' -type f -exec cat {} +"
    return deployment.machine.output(f"journalctl --unit=caddy --output=cat; {files}")
