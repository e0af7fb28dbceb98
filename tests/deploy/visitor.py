"""A visitor who asks for the login page while something is deployed."""

from __future__ import annotations

from tests.deploy.deployment import HOST
from tests.deploy.machine import Machine

# Asks through the proxy, several times a second, until the file `stop` appears. Without
# the pause it would take the core that the deployment needs.
VISITOR = f"""
while [ ! -e /run/visitor/stop ]; do
  curl --silent --insecure --max-time 30 --output /dev/null \\
    --write-out '%{{http_code}}\\n' https://{HOST}/auth/login >> /run/visitor/seen
  sleep 0.1
done
"""


def start_visitor(machine: Machine) -> None:
    """Start to ask for the login page, again and again."""
    machine.run("rm -rf /run/visitor && mkdir /run/visitor")
    (machine.root / "root/visitor").write_text(VISITOR)
    machine.run(
        "systemd-run --quiet --collect --unit=visitor --property=RuntimeMaxSec=600"
        " sh /root/visitor"
    )


def stop_visitor(machine: Machine) -> list[str]:
    """Stop; return the status of each answer."""
    machine.run("touch /run/visitor/stop")
    is_over = "! systemctl is-active --quiet visitor"
    machine.run(f"for _ in $(seq 60); do {is_over} && exit; sleep 1; done")
    return machine.output("cat /run/visitor/seen").split()
