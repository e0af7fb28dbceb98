"""The pages on their own: each sample at its name, under the headers of the service.

`.venv/bin/python -m tests.pages.preview` serves them on http://127.0.0.1:8001 for
people who work on a template; a reload shows the change.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path

from flask import Flask, Response, render_template, request
from jinja2 import StrictUndefined

from app.web.brand import Brand
from app.web.languages import choice
from app.web.languages.catalogues import Catalogues
from app.web.pages.templating import prepare
from app.web.security.headers import content_security_policy
from tests.pages.samples import NOW, Sample, everything

ROOT = Path(__file__).parents[2]


PLAIN = Brand()
SHIPPED = Catalogues((ROOT / "app/translations",))


def create_preview(
    catalogues: Catalogues = SHIPPED, language: str = "en", brand: Brand = PLAIN
) -> Flask:
    """An app that knows the templates and the samples, and nothing of the service.

    Pages are in `language`; `?language=de` asks for another.
    """
    app = Flask(
        __name__,
        template_folder=str(ROOT / "templates"),
        static_folder=str(ROOT / "app" / "static"),
    )
    app.jinja_env.undefined = StrictUndefined
    prepare(app.jinja_env, lambda: NOW)
    choice.init_app(
        app, lambda: catalogues, lambda: request.args.get("language", language)
    )
    app.jinja_env.globals.update(platform_name="Meadow", brand=brand)
    names = [sample.name for sample in everything()]

    @cache
    def samples(tag: str) -> dict[str, Sample]:
        return {sample.name: sample for sample in everything(catalogues.texts(tag))}

    @app.get("/")
    def index() -> str:
        links = "".join(f'<li><a href="/{name}">{name}</a>' for name in names)
        return f'<!doctype html><html lang="en"><title>Pages</title><ul>{links}</ul>'

    @app.get("/<name>")
    def page(name: str) -> str:
        sample = samples(request.args.get("language", language))[name]
        return render_template(sample.template, **sample.context)

    @app.get("/auth/brand/<name>")
    def face(name: str) -> Response:
        if name == "logo" and brand.logo:
            return Response(brand.logo.content, content_type=brand.logo.media_type)
        return Response(brand.style.content if brand.style else "", mimetype="text/css")

    _answer_while_typing(app)

    @app.post("/auth/<path:form>")
    def posted(form: str) -> dict[str, object]:
        return {"form": form, "fields": request.form.to_dict(flat=False)}

    @app.after_request
    def guard(response: Response) -> Response:
        policy = content_security_policy(is_secure=True)
        response.headers["Content-Security-Policy"] = policy
        return response

    return app


def _answer_while_typing(app: Flask) -> None:
    """Answer what the script asks: two accounts begin with ali, bob is taken."""

    @app.post("/auth/username")
    def check_username() -> dict[str, str]:
        name = request.form["username"].lower()
        return {"username": name, "state": "taken" if "bob" in name else "free"}

    @app.post("/auth/accounts")
    def accounts() -> dict[str, object]:
        known = [("alice.bsky.social", "Alice"), ("alicia.example.com", "")]
        found = [(h, n) for h, n in known if h.startswith(request.form["q"])]
        shown = [{"handle": h, "name": n, "avatar": _picture(n)} for h, n in found]
        return {"accounts": shown}


def _picture(name: str) -> str:
    return "/static/favicon.svg" if name else ""


if __name__ == "__main__":
    create_preview().run(host="127.0.0.1", port=8001, debug=True, use_reloader=True)
