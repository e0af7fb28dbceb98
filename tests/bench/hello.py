"""The neighbour in the benchmark: the smallest Flask application."""

from __future__ import annotations

from flask import Flask

flask = Flask("hello")
app = flask.wsgi_app  # gunicorn.conf.py takes a Flask object for the service itself


@flask.get("/hello")
def hello() -> str:
    """Answer as every introduction to Flask does."""
    return "Hello, World!"
