"""How gunicorn serves Latchkey: `gunicorn wsgi:app` in this directory reads this file.

gevent workers, so that a sign-in that waits for a slow host does not block the others:
our client metadata must be served while our own request to the authorization server is
still open (requirement 3.13). Sockets become cooperative only if they are patched
before any other import; hence the order below.
"""

from gevent import monkey

monkey.patch_all()

import gc
import logging
import os
import re
import resource
import signal
import sys
import threading
import time
from contextlib import suppress
from pathlib import Path

import gevent
from flask import Flask
from gevent.hub import Hub
from gunicorn import glogging
from gunicorn.http.parser import RequestParser
from gunicorn.workers.ggevent import GeventWorker

sys.path.insert(0, str(Path(__file__).parent))

from app.atproto.http.dialer import MAX_LOOKUPS
from app.blueprints.health import warm_up
from app.blueprints.services.quick import JWKS, SESSION, VERIFY
from app.config import VERSION, Settings, SettingsInvalid
from app.factory.start import report_missing_keys, require_schema
from app.flows.errors import SchemaMismatch
from app.logs import TEXT, JsonFormatter, TextFormatter
from app.serving.bodies import limited
from app.serving.heads import BoundedRequest
from app.serving.settled import settle
from app.serving.streams import ShallowStreams
from app.serving.watchdog import INTERVAL, PATIENCE, Replacements, Watchdog, busy_clock
from app.serving.whole import WholeAnswers
from app.web.context import EXTENSION

# gevent looks names up on real threads, by default ten: ten silent name servers would
# block every other lookup (requirement 9.6).
Hub.threadpool_size = MAX_LOOKUPS

# Only debuggers need the tree of greenlets, and each stream would keep its part of it.
gevent.config.track_greenlet_tree = False

# Every connection is an open file, and the default limit of many systems is 1,024.
_, MOST_FILES = resource.getrlimit(resource.RLIMIT_NOFILE)
resource.setrlimit(resource.RLIMIT_NOFILE, (MOST_FILES, MOST_FILES))

try:
    settings = Settings.from_environment()
except SettingsInvalid as error:
    sys.exit(str(error))

if settings.metrics_bind is not None:
    from app.metrics.directory import clean, directory_of, mark_dead

STOP_NOTICED_WITHIN = 0.2
real = monkey.get_original  # what gevent has not patched
FORMATTER = JsonFormatter() if settings.log_format == "json" else TextFormatter(TEXT)
QUERY = re.compile(r"\?[^\s'\"]*")


class QueryFilter(logging.Filter):
    """Cuts query strings from gunicorn's own messages about a request."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Let every record pass, without the codes and states of callback URLs."""
        record.msg, record.args = QUERY.sub("?...", record.getMessage()), None
        return True


class Logger(glogging.Logger):
    """gunicorn's logger without query strings, which hold secrets (requirement 9.22).

    Its lines have the application's format, which escapes what is not printable.
    """

    def setup(self, cfg):
        """Set up as usual, then filter, and write lines like the application's."""
        super().setup(cfg)
        self.error_log.addFilter(QueryFilter())
        for handler in self.error_log.handlers:
            handler.setFormatter(FORMATTER)


class Worker(GeventWorker):
    """A gevent worker that waits for no client longer than `timeout`."""

    def load_wsgi(self):
        """Load the application; its streams wait on small stacks."""
        super().load_wsgi()
        paths = (VERIFY, SESSION, JWKS)  # asked with every request of the platform
        self.whole = WholeAnswers(self.wsgi, paths=paths, cfg=self.cfg, clock=time.time)
        self.wsgi = ShallowStreams(self.wsgi)

    def handle_request(self, listener_name, req, sock, addr):  # noqa: PLR0917 -- its
        """Handle a request with time limits for its body and for each sent part.

        The limit is for a part of a few kilobytes: a stream may last.
        """
        sock.settimeout(self.cfg.timeout)
        if self.whole.serves(req) and self.nr < self.max_requests - 1:
            self.nr += 1
            is_last = not self.alive or req.should_close()
            addresses = {"peer": addr, "server": listener_name}
            if self.whole.serve(req, sock, **addresses, is_last=is_last):
                raise StopIteration
        else:
            req.body = limited(req.body, self.cfg.timeout)
            super().handle_request(listener_name, req, sock, addr)
        sock.settimeout(None)  # gunicorn's `keepalive` bounds the next head


wsgi_app = "wsgi:app"
bind = str(settings.bind)
proc_name = "latchkey"
umask = 0o007  # a unix socket is for our own group, which the proxy joins

# WEB_CONCURRENCY sets the number of workers. By default there are two where the machine
# has two cores, so that one serves while the other computes or is being replaced. The
# application is loaded once, before the fork: its memory is shared, and a wrong setting
# ends the start instead of every worker in turn. It opens no connection before that.
worker_class = Worker
preload_app = True
if "WEB_CONCURRENCY" not in os.environ:
    workers = min(2, len(os.sched_getaffinity(0)))

# An app that awaits its login holds a connection for minutes and 20 KB or so: 5,000 of
# them fit one small machine, with room for other requests. When all are taken, further
# connections wait in the listener's queue.
worker_connections = 8000

# A worker that has not reported for 30 seconds is killed, and the request of a client
# that takes that long to send it ends. On a restart, requests under way may finish:
# none waits for a foreign host longer than 25 seconds, and streams are ended, so that
# their apps connect again, to a new worker.
timeout = 30
graceful_timeout = 30
keepalive = 5  # a restart waits for idle connections as well, so not for long

# Only app.web.security.forwarded reads X-Forwarded-For, and it counts TRUSTED_PROXIES.
forwarded_allow_ips = ""
secure_scheme_headers = {}
forwarder_headers = ""
control_socket_disable = True

limit_request_line = 8190  # a callback URL with a long state and error text fits
limit_request_fields = 64
limit_request_field_size = 8190
RequestParser.mesg_class = BoundedRequest  # no setting bounds all lines together

logger_class = Logger
loglevel = settings.log_level
errorlog = "-"
accesslog = None  # app.web.request_log writes a line for each request


def on_starting(server):
    """Refuse to start on a database with another schema; runs before the fork.

    The log says which setting lacks a key of the secrets. Old counts are forgotten.
    """
    if isinstance(server.app.wsgi(), Flask):
        try:
            require_schema(settings)
            report_missing_keys(settings)
        except SchemaMismatch as error:
            sys.exit(str(error))
    if settings.metrics_bind is not None:
        clean(directory_of(settings.database_url))


def when_ready(server):
    """Log the release and the address of the login page; have the metrics served."""
    server.log.info(
        "Latchkey %s has started: %s/auth/login", VERSION, settings.public_url
    )
    if settings.metrics_bind is not None:
        server.exporter = start_exporter()


def start_exporter():
    """Start the process that serves metrics; it ends when this one does.

    Not with `subprocess`: gevent's would wait for children that gunicorn waits for.
    """
    paths = [str(Path(__file__).parent), os.environ.get("PYTHONPATH", "")]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, paths))}
    command = [sys.executable, "-m", "app.metrics"]
    return os.posix_spawn(sys.executable, command, environment)


def on_exit(server):
    """End the process that serves metrics."""
    if hasattr(server, "exporter"):
        with suppress(ProcessLookupError):
            os.kill(server.exporter, signal.SIGTERM)


def pre_fork(server, worker):
    """Give the worker its part in what all processes know of replacements."""
    if not hasattr(server, "replacements"):
        server.replacements = Replacements(limit=server.cfg.workers)
    worker.replacements = server.replacements


def child_exit(server, worker):
    """Count one worker less when the ended one had been replaced already."""
    was_replaced = worker.replacements.end(worker.age)
    if was_replaced and server.num_workers > server.cfg.workers:
        server.num_workers -= 1
    if settings.metrics_bind is not None:
        mark_dead(directory_of(settings.database_url), worker.pid)


def post_worker_init(worker):
    """Load the keys before the first request, and start the watchdog."""
    settle(worker.cfg)
    application = worker.app.callable
    if isinstance(application, Flask):
        warm_up(application)
        gevent.spawn(end_streams_with, worker, application)
    main_thread = real("_thread", "get_ident")()
    schedstat = Path(f"/proc/self/task/{threading.get_native_id()}/schedstat")
    watchdog = Watchdog(
        frame=lambda: sys._current_frames().get(main_thread),
        clock=busy_clock(schedstat),
    )
    gevent.spawn(tick, worker, watchdog)
    real("_thread", "start_new_thread")(watch, (worker, watchdog))
    # What is there now stays: looking through it for garbage takes 80 ms each time, in
    # which the worker answers no request.
    gc.freeze()


def end_streams_with(worker, application):
    """End the streams of awaiting apps once the worker is told to stop.

    gunicorn has no hook for that moment; its hooks run after the last request.
    """
    while worker.alive:
        gevent.sleep(STOP_NOTICED_WITHIN)
    application.extensions[EXTENSION].flows.await_native.end()


def tick(worker, watchdog):
    """Tell the watchdog that the hub runs, for as long as the worker serves."""
    while worker.alive:
        watchdog.tick()
        gevent.sleep(INTERVAL)


def watch(worker, watchdog):
    """Retire the worker when one of its greenlets is stuck; runs on a real thread."""
    sleep = real("time", "sleep")
    while worker.alive:
        sleep(INTERVAL)
        if stack := watchdog.stuck():
            retire(worker, stack)


def retire(worker, stack):
    """Have a stuck worker replaced, log where it is stuck, and let it finish.

    SIGTTIN makes gunicorn start another worker at once. This one accepts no connection
    any more and ends after its last request; if its hub never runs again, `timeout`
    ends it. The line is written without the logging module: the stuck greenlet may
    hold a lock of it.
    """
    worker.alive = False
    if worker.replacements.begin(worker.age):
        os.kill(worker.ppid, signal.SIGTTIN)
    record = logging.makeLogRecord(
        {
            "name": "gunicorn.error",
            "levelno": logging.ERROR,
            "levelname": "ERROR",
            "msg": "Worker (pid:%s) is stuck in one request for %d s; it is replaced",
            "args": (worker.pid, PATIENCE),
            "stack_info": stack.rstrip(),
        }
    )
    os.write(sys.stderr.fileno(), f"{FORMATTER.format(record)}\n".encode())
