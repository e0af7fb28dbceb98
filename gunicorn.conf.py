"""How gunicorn serves Latchkey: `gunicorn wsgi:app` in this directory reads this file.

gevent workers, so that a sign-in that waits for somebody's slow host keeps nobody else
waiting: our client metadata must be served while our own request to the authorization
server is still open (requirement 3.13). Blocking sockets become cooperative only if
they are replaced before anything imports them; hence the order below.
"""

from gevent import monkey

monkey.patch_all()

import logging
import re
import resource
import sys
import time
from pathlib import Path

import gevent
from flask import Flask
from gevent.hub import Hub
from gunicorn import glogging
from gunicorn.http.errors import ParseException
from gunicorn.workers.ggevent import GeventWorker

sys.path.insert(0, str(Path(__file__).parent))

from app.atproto.http.sockets import LOOKUPS_AT_ONCE
from app.blueprints.health import warm_up
from app.config import Settings, SettingsInvalid
from app.logs import TEXT, JsonFormatter, TextFormatter
from app.web.context import EXTENSION

# gevent looks names up on real threads, ten unless told: ten names whose servers keep
# silent would keep every other name from being found (requirement 9.6).
Hub.threadpool_size = LOOKUPS_AT_ONCE

# Which greenlet began which concerns debuggers alone, and each stream would keep it.
gevent.config.track_greenlet_tree = False

# Every connection is an open file, and many systems allow a thousand unless asked.
_, MOST_FILES = resource.getrlimit(resource.RLIMIT_NOFILE)
resource.setrlimit(resource.RLIMIT_NOFILE, (MOST_FILES, MOST_FILES))

try:
    settings = Settings.from_environment()
except SettingsInvalid as error:
    sys.exit(str(error))

STOP_NOTICED_WITHIN = 0.2
FORMATTER = JsonFormatter() if settings.log_format == "json" else TextFormatter(TEXT)
QUERY = re.compile(r"\?[^\s'\"]*")


class QueryFilter(logging.Filter):
    """Cuts query strings from whatever gunicorn has to say about a request."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Let every record pass, without the codes and states of callback URLs."""
        record.msg, record.args = QUERY.sub("?...", record.getMessage()), None
        return True


class Logger(glogging.Logger):
    """gunicorn's logger without query strings, which hold secrets (requirement 9.22).

    Its lines are the application's, so no line feed in a path can forge one.
    """

    def setup(self, cfg):
        """Set up as usual, then filter, and write lines like the application's."""
        super().setup(cfg)
        self.error_log.addFilter(QueryFilter())
        for handler in (*self.error_log.handlers, *self.access_log.handlers):
            handler.setFormatter(FORMATTER)


class TimedBody:
    """A request's body; all of it comes in time and in its frame, or not at all.

    gunicorn waits for it without end, and what waits may hold a place that others need.
    Either failure is the client's, which OSError says to the application.
    """

    def __init__(self, body, seconds):
        self._body = body
        self._ends = time.monotonic() + seconds
        self.failed = False  # gunicorn asks, and serves nothing after what failed

    def read(self, size=None):
        """Read so many bytes, or all there are; nothing here reads by lines."""
        left = max(self._ends - time.monotonic(), 0.001)
        try:
            with gevent.Timeout(left, TimeoutError("the body comes too slowly")):
                return self._body.read(size)
        except ParseException as error:
            self.failed = True
            raise OSError("the body is framed wrongly") from error
        except BaseException:
            self.failed = True
            raise


class Worker(GeventWorker):
    """A gevent worker that waits for no client longer than `timeout`."""

    def handle_request(self, listener_name, req, sock, addr):  # noqa: PLR0917 -- its
        """Handle a request whose client sends, and takes its answer, in time.

        For an answer that is each part of it, of a few kilobytes: streams may last.
        """
        sock.settimeout(self.cfg.timeout)
        req.body = TimedBody(req.body, self.cfg.timeout)
        super().handle_request(listener_name, req, sock, addr)


wsgi_app = "wsgi:app"
bind = str(settings.bind)
proc_name = "latchkey"
umask = 0o007  # a unix socket is for our own group, which the proxy joins

# WEB_CONCURRENCY sets the number of workers; one is enough to never block. The
# application is loaded once, before the fork: its memory is shared, and a wrong setting
# ends the start instead of every worker in turn. It opens no connection until asked.
worker_class = Worker
preload_app = True

# An app that awaits its login holds a connection for minutes and 20 KB or so: 5,000 of
# them fit one small machine, with room for everybody else. When all are taken, the
# others wait in the listener's queue.
worker_connections = 8000

# A worker that cannot even report for half a minute is ended, and so is the request of
# a client that takes that long to send it. On a restart, requests under way may finish:
# none waits for a foreign host longer than 25 seconds, and streams are told to end, so
# that their apps come back to whoever serves then.
timeout = 30
graceful_timeout = 30
keepalive = 5  # a restart waits for idle connections as well, so not for long

# Only app.web.forwarded reads X-Forwarded-For, and it counts TRUSTED_PROXIES.
forwarded_allow_ips = ""
secure_scheme_headers = {}
forwarder_headers = ""
control_socket_disable = True

limit_request_line = 8190  # a callback URL with a long state and error text fits
limit_request_fields = 64
limit_request_field_size = 8190

logger_class = Logger
loglevel = settings.log_level
errorlog = "-"
accesslog = "-"
access_log_format = '%(h)s "%(m)s %(U)s" %(s)s %(B)s bytes %(M)s ms'


def when_ready(server):
    """Say where to go."""
    server.log.info("Latchkey is ready: %s/auth/login", settings.public_url)


def post_worker_init(worker):
    """Have the keys in memory before the first request, whatever happens later."""
    application = worker.app.callable
    if isinstance(application, Flask):
        warm_up(application)
        gevent.spawn(end_streams_with, worker, application)


def end_streams_with(worker, application):
    """End the streams of awaiting apps once the worker is told to stop.

    gunicorn has no hook for that moment, only for the one when it is too late.
    """
    while worker.alive:
        gevent.sleep(STOP_NOTICED_WITHIN)
    application.extensions[EXTENSION].flows.await_native.end()
