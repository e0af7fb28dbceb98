"""The Flask application (WSGI): routes, pages, headers, errors, operator commands."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from wsgiref.types import WSGIApplication

from flask import Flask

from app import commands
from app.atproto.syntax.grammar import host_of
from app.blueprints import (
    callback,
    health,
    home,
    invitation,
    language,
    login,
    logout,
    result,
    signup,
    typing,
)
from app.blueprints.native import confirm as native_confirm
from app.blueprints.native import login as native_login
from app.blueprints.native import refresh as native_refresh
from app.blueprints.own import account, changes, leave, records
from app.blueprints.provider import (
    authorize,
    consent,
    introspect,
    metadata,
    par,
    revoke,
    token,
    userinfo,
)
from app.blueprints.provider.quick import (
    OF_TOKEN,
    QuickAuthorize,
    QuickProgram,
    QuickUserInfo,
)
from app.blueprints.services import (
    brand,
    events,
    quick,
    revocations,
    session,
    users,
    verify,
    well_known,
    xrpc,
)
from app.config import VERSION, Problem, Settings, SettingsInvalid
from app.web import errors, programs, request_log
from app.web.context import EXTENSION, Context, Documents, SignupHost, Site
from app.web.front import Front
from app.web.languages.catalogues import CatalogueInvalid, Catalogues
from app.web.pages import templating
from app.web.repeated import Repeated
from app.web.request_log import RequestLog
from app.web.return_to import ReturnPolicy
from app.web.security import access, headers
from app.web.security.forwarded import Forwarded

from .brand import brand_of
from .container import Outside, Parts, open_parts
from .operator.admin import administration_of
from .operator.doctor import probe_key
from .use_cases import open_use_cases

TEMPLATES = Path(__file__).parents[2] / "templates"
TRANSLATIONS = Path(__file__).parents[1] / "translations"

STATIC_LIFETIME = 365 * 24 * 3600
"""Seconds; addresses of static files change with their content."""

MAX_FORM = 64 * 1024
"""Bytes of a request body: our forms are a few hundred."""

VIEWS = (
    home,
    invitation,
    language,
    login,
    callback,
    result,
    signup,
    logout,
    account,
    leave,
    changes,
    records,
    typing,
    session,
    verify,
    revocations,
    events,
    users,
    xrpc,
    native_login,
    native_refresh,
    native_confirm,
    authorize,
    consent,
    par,
    well_known,
    metadata,
    token,
    userinfo,
    introspect,
    revoke,
    brand,
    health,
)


def create_app(
    settings: Settings | None = None, *, outside: Outside | None = None
) -> Flask:
    """Return the WSGI application; production passes nothing.

    Raises:
        SettingsInvalid: a setting is missing or wrong; says which and why.
    """
    return install(open_flask(), open_parts(settings, outside))


def install(app: Flask, parts: Parts) -> Flask:
    """Put the parts of a deployment behind the routes of `open_flask`."""
    context = app.extensions[EXTENSION] = Context(
        flows=open_use_cases(parts),
        site=_site_of(parts.settings, parts.outside.clock),
        documents=Documents(
            client_metadata=parts.client_document,
            platform_keys=parts.rings.published,
            readiness=parts.readiness,
            is_doctor=_is_doctor(parts),
        ),
        observe=parts.observe,
    )
    front = _front_of(Repeated(_kept_front_of(app.wsgi_app, context)), context)
    forwarded = Forwarded(front, trusted_proxies=parts.settings.trusted_proxies)
    logged = RequestLog(forwarded, observe=parts.observe)
    app.wsgi_app = logged  # type: ignore[method-assign]
    commands.init_app(app, administration_of(parts), VERSION)
    return app


def _front_of(app: WSGIApplication, context: Context) -> Front:
    """Return what answers the questions of services, and `app` all others."""
    flows, here = context.flows, context.site
    complete = partial(headers.completed, is_secure=here.is_secure)
    keys = context.documents.platform_keys
    return Front(
        app,
        quick={
            ("GET", quick.VERIFY): quick.QuickVerify(flows, here, complete),
            ("GET", quick.SESSION): quick.QuickSession(flows, here, complete),
            ("GET", quick.JWKS): quick.QuickJwks(keys, complete),
            ("GET", "/oauth/authorize"): QuickAuthorize(
                flows.provider.authorize, here, complete
            ),
            ("POST", "/oauth/token"): QuickProgram(
                flows.tokens.exchange, here, complete, own=OF_TOKEN
            ),
            ("POST", "/oauth/introspect"): QuickProgram(
                flows.tokens.introspect, here, complete
            ),
        },
        quiet=(quick.VERIFY, quick.JWKS),
    )


def _kept_front_of(app: WSGIApplication, context: Context) -> Front:
    """Return what gives answers that may be repeated, and `app` all others."""
    complete = partial(headers.completed, is_secure=context.site.is_secure)
    tokens = context.flows.tokens
    quick = {("GET", "/oauth/userinfo"): QuickUserInfo(tokens, context.site, complete)}
    return Front(app, quick=quick, quiet=())


def open_flask() -> Flask:
    """Return a Flask application with the routes, which are the same everywhere."""
    app = Flask("app", template_folder=TEMPLATES, static_url_path="/auth/static")
    app.config["MAX_CONTENT_LENGTH"] = MAX_FORM
    app.config["SEND_FILE_MAX_AGE_DEFAULT"] = STATIC_LIFETIME
    # No redirect of werkzeug's own, which would be built from the Host header.
    app.url_map.merge_slashes = False
    app.url_map.strict_slashes = True
    for view in VIEWS:
        app.register_blueprint(view.bp)
    for aspect in (request_log, headers, programs, access, errors, templating):
        aspect.init_app(app)
    return app


def _is_doctor(parts: Parts) -> Callable[[str], bool]:
    key, clock = probe_key(parts.settings), parts.outside.clock
    return lambda value: key.is_valid(value, clock())


def _catalogues_of(settings: Settings) -> Catalogues:
    """Return our catalogues and, checked, the operator's.

    Raises:
        SettingsInvalid: a catalogue of the operator's would break a page.
    """
    own = settings.translations_path
    if own is None:
        return Catalogues((TRANSLATIONS,))
    catalogues = Catalogues((TRANSLATIONS, own))
    try:
        catalogues.check()
    except CatalogueInvalid as error:
        problem = Problem("translations_path", str(error))
        raise SettingsInvalid([problem]) from error
    return catalogues


def _site_of(settings: Settings, clock: Callable[[], float]) -> Site:
    """Return what pages, cookies and redirects need to know."""
    return Site(
        public_url=settings.public_url,
        version=VERSION,
        platform_name=settings.platform_name,
        is_secure=settings.is_secure,
        cookie_name=settings.cookie_name,
        former_cookie_name=settings.former_cookie_name,
        cookie_prefix=settings.cookie_prefix,
        cookie_domain=settings.cookie_domain,
        token_lifetime=settings.token_lifetime,
        token_algorithm=settings.token_algorithm,
        has_provider=settings.provider,
        username_hold=settings.username_hold,
        landing_url=settings.landing_url,
        handle_suffix=settings.handle_suffix,
        has_typeahead=settings.typeahead_url is not None,
        signup_hosts=tuple(
            SignupHost(url=url, name=host_of(url)) for url in settings.signup_hosts
        ),
        asks_about_apps=settings.native_confirmation,
        passes_preflights=settings.forward_auth_preflight == "pass",
        catalogues=_catalogues_of(settings),
        brand=brand_of(settings),
        returns=ReturnPolicy(
            public_url=settings.public_url,
            hosts=settings.allowed_return_hosts,
            below=settings.cookie_domain,
            allow_http=settings.is_plain_http_allowed,
            allow_loopback=settings.is_loopback_development,
        ),
        clock=clock,
    )
