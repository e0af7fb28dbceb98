"""The native client: signs a person in to a desktop app or a command line.

    auth = AuthManager(open_store(default_directory("my-app")))
    started = auth.start_login("https://auth.example.org", "alice.example.com")
    show(started.user_code)
    auth.open_page(started)
    session = auth.await_login(started.session_id)

It needs the packages `requests`, `filelock` and `platformdirs`, and no other module of
this repository, no web framework and no database. gRPC (`app.native.grpc_transport`)
and the system's keyring are used when the app chooses them and they are installed.
docs/native-client.md is the guide.
"""

from __future__ import annotations

from .clock import Clock
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
    NotALatchkeyServer,
    NotSignedIn,
    ServerUnreachable,
    ServerUrlInvalid,
    SessionStoreFailed,
    TransportMissing,
)
from .manager import AuthManager
from .outcome import Backoff
from .records import LoginStarted, NativeSession, SignedOut
from .stores.file_store import FileStore
from .stores.keyring_store import KeyringStore
from .stores.open_store import default_directory, open_store
from .stores.store import MemoryStore, StateStore
from .transports.http_transport import HttpTransport
from .transports.transport import Transport
from .waiting import Waiting

__version__ = "0.2.0"

ServerUnknown = NotALatchkeyServer

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
    "NotALatchkeyServer",
    "NotSignedIn",
    "ServerUnreachable",
    "ServerUrlInvalid",
    "SessionStoreFailed",
    "TransportMissing",
    "ServerUnknown",  # the former name of NotALatchkeyServer, until 0.3
]
