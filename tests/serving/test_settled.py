"""gunicorn's settings have the same values once they are kept as attributes."""

from __future__ import annotations

from gunicorn.config import Config

from app.serving.settled import settle


def settings() -> Config:
    made = Config()
    made.set("limit_request_fields", 7)
    made.set("forwarded_allow_ips", "192.0.2.1")
    made.set("worker_class", "gevent")
    made.set("bind", ["127.0.0.1:8000"])
    return made


def test_settled_settings_have_the_same_values():
    settled, own = settings(), settings()
    settle(settled)

    for name in own.settings:
        assert getattr(settled, name) == getattr(own, name), name
    assert vars(settled)["limit_request_fields"] == 7
    assert "worker_class" not in vars(settled)
