"""Makes the root of a bare Debian machine, once, and copies it for each run.

The mirror, the proxy, the certificates and the package index are this machine's own,
read when they are needed: a deployment is tested against the release that is at hand.
"""

from __future__ import annotations

import hashlib
import shutil
import subprocess
import sys
from pathlib import Path

SUITE = "bookworm"
# A server as it is rented: systemd, SSH and Python; curl is the tests' own tool.
PACKAGES = (
    "ca-certificates,curl,dbus,openssh-server,python3,systemd,systemd-sysv,tzdata"
)
CERTIFICATES = Path("/etc/ssl/certs/ca-certificates.crt")
PIP_OPTIONS = ("index-url", "extra-index-url", "trusted-host", "proxy")


def make_root(cache: Path, root: Path) -> None:
    """Copy the cached bare system to `root`, which must not exist."""
    base = cache / f"debian-{SUITE}-{_fingerprint()}"
    if not base.exists():
        _debootstrap(base)
    subprocess.run(["cp", "-a", "--reflink=auto", base, root], check=True)
    _lend_way_out(root)


def _fingerprint() -> str:
    return hashlib.sha256(f"{SUITE} {PACKAGES}".encode()).hexdigest()[:8]


def _debootstrap(base: Path) -> None:
    unfinished = base.with_suffix(".unfinished")
    shutil.rmtree(unfinished, ignore_errors=True)
    command = ["debootstrap", "--variant=minbase", f"--include={PACKAGES}"]
    subprocess.run([*command, SUITE, unfinished, _mirror()], check=True)
    unfinished.rename(base)


def _mirror() -> str:
    """Return the address from which this machine installs Debian's main archive."""
    fields = "$(REPO_URI) $(LABEL) $(COMPONENT)"
    targets = _output(
        "apt-get", "indextargets", "--format", fields, "Created-By: Packages"
    )
    for target in targets.splitlines():
        address, *description = target.split()
        if description == ["Debian", "main"]:
            return address
    raise LookupError("this machine's apt knows no archive of Debian")


def _lend_way_out(root: Path) -> None:
    """Let the machine use the proxies, certificates and package index used here."""
    shutil.copyfile(CERTIFICATES, root / CERTIFICATES.relative_to("/"))
    dump = _output("apt-config", "dump", "--no-empty").splitlines()
    proxies = [line for line in dump if line.startswith("Acquire::http")]
    apt = root / "etc/apt/apt.conf.d/90way-out"
    apt.write_text("".join(f"{line}\n" for line in proxies))
    # The machine is thrown away: no package has to reach the disk before the next.
    (root / "etc/dpkg/dpkg.cfg.d/90fast").write_text("force-unsafe-io\n")
    pip = root / "etc/pip.conf"
    pip.write_text("\n".join(["[global]", f"cert = {CERTIFICATES}", *_pip_options()]))


def _pip_options() -> list[str]:
    """Return what pip is told here, whether by file or by environment."""
    listing = _output(sys.executable, "-m", "pip", "config", "list").splitlines()
    found: dict[str, str] = {}
    for line in listing:
        name, _, value = line.partition("=")
        found[name.rpartition(".")[2]] = value.strip("'\"")
    return [f"{name} = {found[name]}" for name in PIP_OPTIONS if name in found]


def _output(*command: str) -> str:
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout
