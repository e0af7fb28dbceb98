"""The command line's words: `python -m app.native --help` prints them."""

from __future__ import annotations

import argparse
from pathlib import Path

DESCRIPTION = "Sign in to a platform with your AT Protocol account, from a terminal."
EXITS = """exit codes:
  0  done                          5  the service cannot be reached
  1  failed on this machine        6  the service refused
  2  wrong usage or address        7  not signed in
  3  denied in the browser         8  replaced by another sign-in or a sign-out
  4  expired, or --timeout is over 130  interrupted
"""


def build_parser() -> argparse.ArgumentParser:
    """Return the parser of all commands."""
    parser = argparse.ArgumentParser(
        prog="python -m app.native",
        description=DESCRIPTION,
        epilog=EXITS,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    commands = parser.add_subparsers(dest="command", required=True)
    common = _common()
    login = commands.add_parser(
        "login",
        parents=[common, _asking(), _trusting()],
        help="sign in with the browser",
    )
    login.add_argument("server_url", metavar="SERVER_URL", help="the service's address")
    login.add_argument("identifier", metavar="HANDLE", help="your handle or DID")
    login.add_argument("--app-name", metavar="NAME", help="what the page calls the app")
    commands.add_parser(
        "resume",
        parents=[common, _asking(), _trusting()],
        help="wait on for a sign-in that a crash left behind",
    )
    session = commands.add_parser("session", parents=[common], help="who is signed in")
    session.add_argument(
        "--token",
        action="store_true",
        help="print the platform token, for scripts: it is a secret",
    )
    commands.add_parser(
        "logout",
        parents=[common, _trusting()],
        help="forget the session here, and end it at the service",
    )
    return parser


def _common() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(add_help=False)
    parser.add_argument(
        "--json", action="store_true", help="one JSON object on stdout, errors too"
    )
    parser.add_argument(
        "--state-dir", type=Path, metavar="DIR", help="where the session is kept"
    )
    parser.add_argument(
        "--store",
        choices=["auto", "keyring", "file"],
        default="auto",
        help="the system's keyring or a file; auto: the keyring if there is one",
    )
    return parser


def _trusting() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(add_help=False)
    parser.add_argument(
        "--ca-bundle",
        type=_file,
        metavar="FILE",
        help="certificates to trust instead of the usual ones",
    )
    return parser


def _asking() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(add_help=False)
    parser.add_argument(
        "--no-browser", action="store_true", help="only print the address to open"
    )
    parser.add_argument(
        "--timeout", type=_seconds, metavar="SECONDS", help="give up after this long"
    )
    parser.add_argument(
        "--transport",
        choices=["auto", "stream", "poll"],
        default="auto",
        help="how to wait over HTTP; auto: a stream, or polls where it breaks",
    )
    parser.add_argument(
        "--grpc", metavar="TARGET", help="speak gRPC with this host:port or unix:path"
    )
    parser.add_argument(
        "--grpc-tls", action="store_true", help="TLS for gRPC on this machine, too"
    )
    return parser


def _file(text: str) -> Path:
    path = Path(text)
    if not path.is_file():
        raise argparse.ArgumentTypeError("a file")
    return path


def _seconds(text: str) -> float:
    try:
        seconds = float(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError("a number of seconds") from error
    if not 0 < seconds < float("inf"):
        raise argparse.ArgumentTypeError("a positive number of seconds")
    return seconds
