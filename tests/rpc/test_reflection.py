"""A caller that was built without our .proto learns everything from the listener."""

from __future__ import annotations

from typing import TYPE_CHECKING

import grpc
import pytest
from google.protobuf.descriptor_pool import DescriptorPool
from google.protobuf.json_format import MessageToDict, ParseDict
from google.protobuf.message_factory import GetMessageClass
from grpc_reflection.v1alpha.proto_reflection_descriptor_database import (
    ProtoReflectionDescriptorDatabase,
)

from tests.rpc.running import ANSWERS_WITHIN

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.rpc.running import Running
    from tests.service import Service


@pytest.fixture
def channel(running: Running) -> Iterator[grpc.Channel]:
    with running.channel() as channel:
        yield channel


def test_the_services_are_listed(channel: grpc.Channel):
    assert set(ProtoReflectionDescriptorDatabase(channel).get_services()) == {
        "latchkey.v1.AuthService",
        "grpc.health.v1.Health",
        "grpc.reflection.v1alpha.ServerReflection",
    }


def test_a_login_can_be_made_with_what_reflection_tells(
    channel: grpc.Channel, service: Service
):
    """What grpcurl does: JSON in, JSON out, no generated code of ours."""
    pool = DescriptorPool(ProtoReflectionDescriptorDatabase(channel))
    auth = pool.FindServiceByName("latchkey.v1.AuthService")

    def call(name: str, fields: dict[str, str]) -> list[dict[str, object]]:
        method = auth.FindMethodByName(name)
        request = ParseDict(fields, GetMessageClass(method.input_type)())
        open_call = channel.unary_stream(
            f"/{auth.full_name}/{name}",
            request_serializer=lambda message: message.SerializeToString(),
            response_deserializer=GetMessageClass(method.output_type).FromString,
        )
        events = open_call(request, timeout=ANSWERS_WITHIN)
        return [MessageToDict(event) for event in events]

    (started,) = call("InitiateLogin", {"identifier": "alice.skyhost.social"})
    service.rows(
        "UPDATE native_logins SET status = 'denied', decided_at = ?",
        int(service.world.clock()),
    )
    events = call("AwaitLogin", {"sessionId": str(started["sessionId"])})

    assert str(started["oauthUrl"]).startswith(service.home)
    assert events == [{"denied": {}}]
