"""Apps with the text of their presets sign in people of the real PDS."""

from __future__ import annotations

import sys
from contextlib import ExitStack

from playwright.sync_api import expect

from tests.e2e.apps.relying import Authlib
from tests.e2e.apps.running import READERS, Running, allow
from tests.e2e.laboratory import Laboratory
from tests.lab.network import Account, free_port
from tests.lab.processes import Processes, listens
from tests.printed import ROOT


def test_newcomer_signs_up_on_the_way_to_the_app(
    app: Running, prod_like: Laboratory
) -> None:
    account = prod_like.new_account()
    join(prod_like, account)
    with prod_like.visitor() as visitor:
        app.opens(visitor, app.app.entrance)
        visitor.identify_as(account.handle)
        visitor.approve(account)
        visitor.choose_username(name_of(account))
        allow(visitor)

        assert app.is_reached(visitor) == name_of(account)


def test_member_is_signed_in_refreshed_and_turned_away_when_the_group_changes(
    app: Running, prod_like: Laboratory
) -> None:
    with prod_like.person() as member:
        account, visitor = member.account, member.visitor
        join(prod_like, account)
        app.opens(visitor, app.app.entrance)
        allow(visitor)
        assert app.is_reached(visitor) == name_of(account)
        if app.app.again:
            issued = tokens_issued_at(app, account)
            visitor.page.wait_for_timeout(1_100)
            app.opens(visitor, app.app.again)
            assert app.is_reached(visitor) == name_of(account)
            assert tokens_issued_at(app, account) > issued

        prod_like.service.command("groups", "remove", READERS, account.did)

        assert app.turns_away(visitor, name_of(account))
        app.opens(visitor, app.app.entrance)
        assert visitor.error == "not_allowed_here"


def test_app_of_make_app_signs_in_is_removed_and_asks_again(
    dev: Laboratory, stack: ExitStack
) -> None:
    port, account = free_port(), dev.new_account()
    apps = stack.enter_context(Processes(dev.network.directory / "apps" / "logs"))
    apps.start(
        "hello",
        [sys.executable, "tests/lab/sample.py"],
        environment={**dev.service.environment, "APP_PORT": str(port)},
        healthy=listens(port),
        directory=ROOT,
    )
    with dev.visitor() as visitor:
        visitor.page.goto(f"http://127.0.0.1:{port}/")
        visitor.identify_as(account.handle)
        visitor.approve(account)
        visitor.choose_username(name_of(account))
        allow(visitor)
        visitor.page.wait_for_url(f"http://127.0.0.1:{port}/**")

        assert Authlib().who(visitor.page) == name_of(account)
        visitor.open("/auth/account")
        visitor.press("Remove")
        removed = visitor.page.get_by_text("That app has no access any more.")
        expect(removed).to_be_visible()
        refused = visitor.page.goto(f"http://127.0.0.1:{port}/refresh")
        assert refused is not None
        assert refused.status == 401
        visitor.page.goto(f"http://127.0.0.1:{port}/")
        allow(visitor)
        visitor.page.wait_for_url(f"http://127.0.0.1:{port}/**")


def join(lab: Laboratory, account: Account) -> None:
    """Add an account, one that the platform does not know yet too."""
    lab.service.command("groups", "add", READERS, account.did)


def tokens_issued_at(app: Running, account: Account) -> str:
    """Return when the app last got tokens for the account."""
    grant = app.lab.service.command(
        *("grants", "list", "--client", app.name, "--of", account.did)
    )
    issued: str = grant["used_at"]
    return issued


def name_of(account: Account) -> str:
    """Return the username that a person of these tests chooses."""
    return account.handle.partition(".")[0]
