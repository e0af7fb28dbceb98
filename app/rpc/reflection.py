"""`grpc.reflection.v1alpha`: what this listener offers, for grpcurl and its like.

The package's own servicer; each of its streams is counted and logged like any other.
"""

from __future__ import annotations

from collections.abc import AsyncIterable, Callable, Iterable
from contextlib import AbstractContextManager

from grpc_reflection.v1alpha.reflection import aio
from grpc_reflection.v1alpha.reflection_pb2 import ServerReflectionRequest

from .calls import Context, address_of, answering


class Reflection(aio.ReflectionServicer):  # type: ignore[misc] # it has no types
    """The descriptors of the services that are here."""

    def __init__(
        self,
        services: Iterable[str],
        *,
        admit: Callable[[str], AbstractContextManager[None]],
        platform: str,
    ) -> None:
        super().__init__(services)
        self._admit = admit
        self._platform = platform

    async def ServerReflectionInfo(  # noqa: N802 - the name in grpc.reflection
        self, requests: AsyncIterable[ServerReflectionRequest], context: Context
    ) -> None:
        """Answer one question after another until the caller has no more."""
        async with answering(context, "ServerReflection", platform=self._platform):
            with self._admit(address_of(context)):
                async for answer in super().ServerReflectionInfo(requests, context):
                    await context.write(answer)
