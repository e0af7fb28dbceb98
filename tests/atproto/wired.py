"""The library with nothing around it but the fakes: one web client and its stores."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, urlencode, urlsplit

from werkzeug.wrappers import Request

from app.atproto.client import OAuthClient
from app.atproto.client_metadata.builders import (
    ClientMetadata,
    build_confidential_web_client,
    build_loopback_client,
)
from app.atproto.crypto.keys import ClientKeys, SigningKey
from app.atproto.discovery.accounts import Discovery
from app.atproto.discovery.servers import ServerDiscovery
from app.atproto.http.client import Deadline, NetworkPolicy, SafeHTTP
from app.atproto.identity.resolver import IdentityResolver
from app.atproto.oauth.dpop import DPoPSender
from app.atproto.oauth.server import ServerAgent
from app.atproto.stores.memory import MemoryCache, MemorySessionStore, MemoryStateStore
from app.atproto.syntax.identifier import parse_identifier
from tests.fakes.browser import query_of
from tests.fakes.consent import ConsentPage
from tests.fakes.directory import json_response
from tests.fakes.faults import REMOVED
from tests.fakes.world import PLC, World

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from app.atproto.client import Completed
    from app.atproto.oauth.authorization import Authorization
    from app.atproto.records import AuthRequest, OAuthSession
    from tests.fakes.network import FakeNetwork

HOST = "auth.platform.cafe"
CLIENT_ID = f"https://{HOST}/oauth-client-metadata.json"
CALLBACK = f"https://{HOST}/auth/callback"
LOOPBACK_CALLBACK = "http://127.0.0.1:8000/auth/callback"
SECRET = "the secret of this browser"


class Library:
    """An OAuth client of the library, served on the fake network."""

    def __init__(
        self,
        world: World,
        *,
        public: bool = False,
        scope: str = "atproto transition:generic",
        clock: Callable[[], float] | None = None,
        before_host: Callable[[str], None] = lambda _host: None,
        sessions: MemorySessionStore | None = None,
        policy: NetworkPolicy | None = None,
    ) -> None:
        self.world = world
        self.policy = policy or NetworkPolicy()
        self.clock = clock or world.clock
        self.public = public
        self.scope = scope
        self.keys = [SigningKey.generate("ES256")]
        self.states = Remembering(self.clock)
        self.sessions = sessions or MemorySessionStore()
        self.sleep: Callable[[float], None] = world.clock.advance
        self.cache = MemoryCache(self.clock)
        self.http = SafeHTTP(
            policy=self.policy,
            user_agent=f"Latchkey/test (+https://{HOST})",
            adapter=world.network,
            monotonic=world.clock.monotonic,
        )
        self.client = self._client(before_host)
        world.network.serve(HOST, self)

    def _client(self, before_host: Callable[[str], None]) -> OAuthClient:
        policy = replace(self.policy, own_origin=f"https://{HOST}")
        self.servers = ServerDiscovery(
            http=self.http, cache=self.cache, clock=self.clock, policy=policy
        )
        self.identities = IdentityResolver(
            http=self.http,
            txt=self.world.dns,
            plc_url=f"https://{PLC}",
            cache=self.cache,
            clock=self.clock,
            policy=policy,
            before_host=before_host,
        )
        self.discovery = Discovery(identities=self.identities, servers=self.servers)
        sender = DPoPSender(http=self.http, cache=self.cache, clock=self.clock)
        return OAuthClient(
            metadata=self.metadata,
            keys=None if self.public else (lambda: ClientKeys(self.keys)),
            states=self.states,
            sessions=self.sessions,
            discovery=self.discovery,
            agent=ServerAgent(sender, before_host=before_host),
            sender=sender,
            clock=self.clock,
            sleep=self._sleep,
        )

    def _sleep(self, seconds: float) -> None:
        self.sleep(seconds)

    def metadata(self) -> ClientMetadata:
        if self.public:
            return build_loopback_client(redirect_uris=[self.redirect_uri])
        return build_confidential_web_client(
            client_id=CLIENT_ID,
            redirect_uris=[CALLBACK, CALLBACK + "/second"],
            scope=self.scope,
            jwks=ClientKeys(self.keys).public_jwks(),
        )

    @property
    def redirect_uri(self) -> str:
        return LOOPBACK_CALLBACK if self.public else CALLBACK

    def __call__(self, environ: Any, start_response: Any) -> Iterable[bytes]:
        """Serve the client metadata, which servers fetch during PAR."""
        found = Request(environ).url == CLIENT_ID
        document = self.metadata().document() if found else {}
        return json_response(document)(environ, start_response)

    # --- the two halves of a login ------------------------------------------------

    def deadline(self, seconds: float = 10.0) -> Deadline:
        return Deadline.after(seconds, self.world.clock.monotonic)

    def begins(self, identifier: str, **options: Any) -> Authorization:
        """Begin a login for what was typed."""
        given = {
            "scope": "atproto",
            "redirect_uri": self.redirect_uri,
            "deadline": self.deadline(),
            "browser_secret": SECRET,
        }
        return self.client.authorize(
            parse_identifier(identifier), **{**given, **options}
        )

    def at_host(self, authorization: Authorization) -> ConsentPage:
        """Open the host's page, in the one browser that there is."""
        host = urlsplit(authorization.url).netloc
        page = self.world.servers[host].open(authorization.url, device="the browser")
        assert isinstance(page, ConsentPage), page
        return page

    def approved(
        self, identifier: str, *, account: str | None = None, **options: Any
    ) -> str:
        """Begin, and approve; return the callback URL."""
        return self.at_host(self.begins(identifier, **options)).approves(account).url

    def finishes(
        self,
        url: str,
        *,
        browser_secrets: Sequence[str] | None = (SECRET,),
        deadline: Deadline | None = None,
    ) -> Completed:
        """Answer the callback URL."""
        query = parse_qsl(urlsplit(url).query, keep_blank_values=True)
        return self.client.callback(
            query,
            browser_secrets=browser_secrets,
            deadline=deadline or self.deadline(),
        )

    def logs_in(
        self, identifier: str, *, account: str | None = None, **options: Any
    ) -> OAuthSession:
        """Go through a whole login; return the session."""
        url = self.approved(identifier, account=account, **options)
        return self.finishes(url).session

    def nothing_lives(self) -> bool:
        """Tell whether no session is kept here, and no grant is alive anywhere."""
        servers = self.world.servers.values()
        alive = [one for server in servers for one in server.grants.all if one.alive]
        return not alive and not self.sessions._sessions


def bent(url: str, **changes: object) -> str:
    """Return a callback URL with other parameters, or without (`REMOVED`)."""
    query = {**query_of(url), **changes}
    wanted = {name: value for name, value in query.items() if value is not REMOVED}
    return f"{CALLBACK}?{urlencode(wanted)}"


def token_requests(network: FakeNetwork) -> int:
    """Return how often a code was sent."""
    return len(network.sent(path="/oauth/token"))


class Remembering(MemoryStateStore):
    """A state store in which a test can look at what was put last."""

    last: AuthRequest

    def put(self, request: AuthRequest) -> None:
        self.last = request
        super().put(request)
