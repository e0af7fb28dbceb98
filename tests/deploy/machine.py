"""A Debian machine of our own: systemd as its first process, on a network of its own.

systemd-nspawn boots the root, slirp4netns gives it a way out to the package archives
that needs no change to this machine's network. Nothing of it is reachable from here
but through the namespaces of its first process: SSH enters that of the network.
"""

from __future__ import annotations

import json
import os
import shlex
import signal
import subprocess
import time
from dataclasses import dataclass, field
from pathlib import Path

NAMESERVER = "10.0.2.3"  # where slirp4netns answers for this machine's resolver
BOOT_SECONDS = 60
HALT_SECONDS = 90


class MachineFailed(Exception):
    """The machine did not boot, run a command or halt."""


@dataclass
class Machine:
    """One machine, from boot to halt. `host` is the name that it serves under."""

    root: Path
    host: str
    log: Path
    pip_cache: Path
    address: str = ""
    """Where its neighbours reach it, after `connect`."""
    _process: subprocess.Popen[bytes] | None = field(default=None, repr=False)
    _network: subprocess.Popen[bytes] | None = field(default=None, repr=False)

    def prepare(self, public_key: str) -> None:
        """Name the machine and let the holder of an SSH key in as root."""
        (self.root / "etc/hostname").write_text(f"{self.root.name}\n")
        (self.root / "etc/hosts").write_text(f"127.0.0.1 localhost {self.host}\n")
        (self.root / "etc/resolv.conf").unlink(missing_ok=True)
        (self.root / "etc/resolv.conf").write_text(f"nameserver {NAMESERVER}\n")
        keys = self.root / "root/.ssh/authorized_keys"
        keys.parent.mkdir(mode=0o700, exist_ok=True)
        keys.write_text(public_key)

    def boot(self) -> None:
        """Start the machine and wait until systemd has started everything."""
        self.pip_cache.mkdir(parents=True, exist_ok=True)
        command = [
            *("setpriv", "--pdeathsig=TERM", "systemd-nspawn", "--boot", "--quiet"),
            *("--register=no", "--keep-unit", "--console=passive"),
            *("--private-network", "--resolv-conf=off", "--timezone=off"),
            f"--bind={self.pip_cache}:/root/.cache/pip",
            f"--directory={self.root}",
        ]
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=log, stderr=log
            )
        self._await_systemd()
        self._connect()

    def halt(self) -> None:
        """Shut the machine down; kill it when that fails."""
        if self._process is None or self._process.poll() is not None:
            return
        os.kill(self._leader(), signal.SIGRTMIN + 4)  # systemd(1): power off
        try:
            self._process.wait(HALT_SECONDS)
        except subprocess.TimeoutExpired as late:
            self._process.kill()
            raise MachineFailed(f"did not halt; see {self.log}") from late
        finally:
            self._disconnect()
            self._process = None

    def kill(self) -> None:
        """End the machine as a power cut does: nothing of it is looked at again."""
        if self._process is None or self._process.poll() is not None:
            return
        os.kill(self._leader(), signal.SIGKILL)
        self._process.wait(HALT_SECONDS)
        self._disconnect()
        self._process = None

    def reboot(self) -> None:
        """Shut down and start again."""
        self.halt()
        self.boot()

    def run(
        self, command: str, *, check: bool = True, timeout: float = HALT_SECONDS
    ) -> subprocess.CompletedProcess[str]:
        """Run a shell command in the machine, as root."""
        answer = subprocess.run(
            [*self.enter(), "/bin/sh", "-c", command],
            check=False,
            capture_output=True,
            text=True,
            timeout=timeout,
            stdin=subprocess.DEVNULL,
            env={"PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin"},
        )
        if check and answer.returncode:
            raise MachineFailed(f"{command}: {answer.stderr or answer.stdout}")
        return answer

    def output(self, command: str) -> str:
        """Return what a shell command in the machine prints."""
        return self.run(command).stdout.strip()

    def show(self, unit: str, name: str) -> str:
        """Return one property of a systemd unit."""
        return self.output(f"systemctl show --value --property={name} {unit}")

    def enter(self) -> list[str]:
        """Return the command prefix that runs a program in the machine."""
        return ["nsenter", f"--target={self._leader()}", "--all", "--wdns=/", "--"]

    def ssh_proxy(self) -> str:
        """Return the command that connects its two pipes to the machine's SSH port."""
        enter_network = ["nsenter", f"--target={self._leader()}", "--net", "--"]
        return shlex.join([*enter_network, "nc", "127.0.0.1", "22"])

    def connect(self, neighbour: Machine) -> None:
        """Join two running machines by a cable, each under its `address`."""
        ends = {f"lk{each._leader()}": each for each in (self, neighbour)}
        one, other = ends
        _ip("link", "add", one, "type", "veth", "peer", "name", other)
        for end, each in ends.items():
            _ip("link", "set", end, "netns", str(each._leader()))
            enter = ("nsenter", f"--target={each._leader()}", "--net", "--")
            _ip("link", "set", end, "up", enter=enter)
            each.add_address(each.address)

    def add_address(self, address: str) -> None:
        """Give the end of the cable a further address."""
        leader = self._leader()
        enter = ("nsenter", f"--target={leader}", "--net", "--")
        _ip("address", "add", f"{address}/24", "dev", f"lk{leader}", enter=enter)

    def _leader(self) -> int:
        """Return the process that is number 1 in there."""
        if self._process is None:
            raise MachineFailed("the machine is not running")
        pid = self._process.pid
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
        if not children:
            raise MachineFailed(f"no system was started; see {self.log}")
        return int(children[0])

    def _await_systemd(self) -> None:
        for _ in range(BOOT_SECONDS * 4):
            if self._process is None or self._process.poll() is not None:
                break
            if self._has_booted():
                return
            time.sleep(0.25)
        raise MachineFailed(f"did not boot; see {self.log}")

    def _has_booted(self) -> bool:
        try:
            state = self.run("systemctl is-system-running", check=False).stdout.strip()
        except MachineFailed:  # not even a first process yet
            return False
        return state in {"running", "degraded"}

    def _connect(self) -> None:
        read, write = os.pipe()
        command = ["setpriv", "--pdeathsig=TERM", "slirp4netns", "--configure"]
        options = ["--mtu=65520", "--disable-host-loopback", f"--ready-fd={write}"]
        with self.log.open("ab") as log:
            self._network = subprocess.Popen(
                [*command, *options, str(self._leader()), "tap0"],
                pass_fds=[write],
                stdout=log,
                stderr=log,
            )
        os.close(write)
        with os.fdopen(read, "rb") as ready:
            if ready.read(1) != b"1":
                raise MachineFailed(f"no way out to the network; see {self.log}")

    def _disconnect(self) -> None:
        if self._network is not None:
            self._network.terminate()
            self._network.wait(10)
            self._network = None


def _ip(*arguments: str, enter: tuple[str, ...] = ()) -> None:
    subprocess.run([*enter, "ip", *arguments], check=True)


@dataclass(frozen=True)
class Answer:
    """The answer to a request from inside the machine."""

    status: int
    headers: dict[str, list[str]]
    body: str

    def json(self) -> dict[str, object]:
        """Return the body as the JSON object that it is."""
        document = json.loads(self.body)
        assert isinstance(document, dict)
        return document


def request(machine: Machine, url: str, *options: str) -> Answer:
    """Ask a URL from within the machine, trusting the authority of its own proxy."""
    authority = "/var/lib/caddy/.local/share/caddy/pki/authorities/local/root.crt"
    trust = ["--cacert", authority] if url.startswith("https:") else []
    marker = "\n--answer--\n"
    form = f"{marker}%{{http_code}}{marker}%{{header_json}}"
    command = ["curl", "--silent", "--show-error", "--max-time", "20", *trust]
    asked = machine.run(shlex.join([*command, *options, "--write-out", form, url]))
    body, status, headers = asked.stdout.split(marker)
    return Answer(int(status), json.loads(headers), body)
