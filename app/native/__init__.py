"""What a desktop app or a command line embeds to sign its person in with Latchkey.

    auth = AuthManager(open_store(default_directory("my-app")))
    started = auth.start_login("https://auth.example.org", "alice.example.com")
    show(started.user_code)
    auth.open_page(started)
    session = auth.await_login(started.session_id)

It needs `requests` and nothing else of this repository, of a web framework or of a
database. gRPC (`app.native.over_grpc`) and the system's keyring are used where they are
asked for and installed. docs/native-client.md is the guide.
"""

from __future__ import annotations

from .auth import AuthManager
from .backoff import Backoff
from .clocks import Clock
from .errors import (
    AwaitTimedOut,
    KeyringUnusable,
    LoginCancelled,
    LoginDenied,
    LoginEnded,
    LoginExpired,
    LoginNotStarted,
    LoginRefused,
    LoginSuperseded,
    NativeError,
    ServerUnknown,
    ServerUnreachable,
    ServerUrlInvalid,
    SessionStoreFailed,
    TransportMissing,
)
from .files import FileStore
from .keyrings import KeyringStore
from .over_http import HttpTransport
from .places import default_directory, open_store
from .records import LoginStarted, NativeSession, SignedOut
from .stores import MemoryStore, StateStore
from .transports import Transport
from .waiting import Waiting

__all__ = [
    # signing in and out
    "AuthManager",
    "LoginStarted",
    "NativeSession",
    "SignedOut",
    "Waiting",
    # where the session is kept
    "FileStore",
    "KeyringStore",
    "MemoryStore",
    "StateStore",
    "default_directory",
    "open_store",
    # how the service is asked
    "Backoff",
    "Clock",
    "HttpTransport",
    "Transport",
    # what can go wrong
    "AwaitTimedOut",
    "KeyringUnusable",
    "LoginCancelled",
    "LoginDenied",
    "LoginEnded",
    "LoginExpired",
    "LoginNotStarted",
    "LoginRefused",
    "LoginSuperseded",
    "NativeError",
    "ServerUnknown",
    "ServerUnreachable",
    "ServerUrlInvalid",
    "SessionStoreFailed",
    "TransportMissing",
]
