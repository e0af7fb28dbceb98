"""gRPC beside the web, as a process of its own, against the reference PDS."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import grpc
import pytest
import requests
from google.protobuf.descriptor_pool import DescriptorPool
from google.protobuf.json_format import MessageToDict, ParseDict
from google.protobuf.message_factory import GetMessageClass
from grpc_reflection.v1alpha.proto_reflection_descriptor_database import (
    ProtoReflectionDescriptorDatabase,
)

from app.native import AuthManager, LoginDenied, MemoryStore
from app.native.transports.grpc_transport import OPTIONS, GrpcTransport
from tests.e2e.laboratory import Laboratory
from tests.e2e.listener import NAME
from tests.e2e.visitor import Visitor
from tests.lab.network import Account
from tests.lab.processes import session

PATIENCE = 120.0
"""Seconds: a busy machine fails no test, and a call that hangs does not hold all."""


@pytest.fixture
def http(lab: Laboratory) -> Iterator[requests.Session]:
    with session(lab.network.ca) as opened:
        yield opened


class Reflected:
    """What grpcurl is: JSON in, JSON out, and no generated code of ours."""

    def __init__(self, channel: grpc.Channel) -> None:
        self.channel = channel
        pool = DescriptorPool(ProtoReflectionDescriptorDatabase(channel))
        self.service = pool.FindServiceByName("latchkey.v1.AuthService")

    def call(self, name: str, **fields: str) -> Iterator[dict[str, Any]]:
        method = self.service.FindMethodByName(name)
        request = ParseDict(fields, GetMessageClass(method.input_type)())
        events = self.channel.unary_stream(
            f"/{self.service.full_name}/{name}",
            request_serializer=lambda message: message.SerializeToString(),
            response_deserializer=GetMessageClass(method.output_type).FromString,
        )(request, timeout=PATIENCE)
        return map(MessageToDict, events)


def test_client_made_from_the_reflection_signs_in(
    target: str,
    lab: Laboratory,
    visitor: Visitor,
    account: Account,
    http: requests.Session,
) -> None:
    with grpc.insecure_channel(target, options=OPTIONS) as channel:
        auth = Reflected(channel)
        begun = next(
            auth.call("InitiateLogin", identifier=account.handle, app_name="Sketch")
        )
        lab.secrets.add(begun["sessionId"])
        heard = auth.call("AwaitLogin", session_id=begun["sessionId"])
        assert next(heard) == {"pending": {}}

        visitor.page.goto(begun["oauthUrl"])
        visitor.approve(account)
        visitor.choose_username(account.handle.partition(".")[0])
        assert begun["userCode"] in visitor.page.inner_text("main")
        visitor.press("Allow")
        (event,) = heard

    told = event["completed"]
    lab.secrets.add(told["token"])
    answer = http.get(
        f"{lab.service.url}/auth/session",
        headers={"Authorization": f"Bearer {told['token']}"},
        timeout=PATIENCE,
    )
    assert answer.json()["did"] == account.did == told["did"]


def test_an_app_is_let_in_although_the_listener_was_restarted(
    target: str, lab: Laboratory, visitor: Visitor, account: Account
) -> None:
    app = AuthManager(MemoryStore(), transport=GrpcTransport(target))
    begun = app.start_login(lab.service.url, account.handle, app_name="Sketch")
    lab.secrets.add(begun.session_id)
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(app.await_login, begun.session_id, timeout=PATIENCE)
        with lab.network.processes.without(NAME):
            visitor.page.goto(begun.oauth_url)
            visitor.approve(account)
            visitor.choose_username(account.handle.partition(".")[0])
            visitor.press("Allow")
        kept = waiting.result()

    lab.secrets.add(kept.token)
    assert kept.did == account.did
    assert app.get_session() == kept


def test_an_app_is_told_no(
    target: str, lab: Laboratory, visitor: Visitor, account: Account
) -> None:
    visitor.become(account, account.handle.partition(".")[0])
    app = AuthManager(MemoryStore(), transport=GrpcTransport(target))
    begun = app.start_login(lab.service.url, account.handle, app_name="Sketch")
    lab.secrets.add(begun.session_id)
    visitor.page.goto(begun.oauth_url)
    visitor.approve(account)
    visitor.press("Don't allow")

    with pytest.raises(LoginDenied):
        app.await_login(begun.session_id, timeout=PATIENCE)
    assert app.get_session() is None
