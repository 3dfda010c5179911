"""How much of a request's body is read, and when.

MLflow holds the complete body of every request except artifact uploads in memory, mostly before it checks the credential.
"""

from __future__ import annotations

import asyncio
import gzip
import zlib
from io import BytesIO

from .headers import Headers, values
from .protocol import Message, Receive, Send

#: The maximum body of a request without a credential, on a public path.
PUBLIC_BYTES = 64 * 1024
#: Bodies above this are read only after MLflow has accepted the credential.
UNCHECKED_BYTES = 1024 * 1024


class TooLarge(Exception):
    """The body has more bytes than allowed."""


def declared(headers: Headers) -> int | None:
    """Returns the length of the body in bytes; None if the headers do not contain it."""
    if values(headers, b"transfer-encoding"):
        return None
    lengths = values(headers, b"content-length")
    if not lengths:
        return 0
    return int(lengths[0]) if len(lengths) == 1 and lengths[0].isdigit() else None


async def whole(receive: Receive, limit: int) -> list[Message]:
    """Reads a body of unknown length. Raises TooLarge as soon as it exceeds the limit."""
    messages: list[Message] = []
    size = 0
    while True:
        message = await receive()
        messages.append(message)
        size += len(message.get("body", b""))
        if size > limit:
            raise TooLarge
        if message["type"] != "http.request" or not message.get("more_body", False):
            return messages


def replayed(messages: list[Message], receive: Receive) -> Receive:
    """Returns a receive function with these messages, followed by those of `receive`."""
    left = iter(messages)

    async def received() -> Message:
        found = next(left, None)
        return await receive() if found is None else found

    return received


def without_body() -> Receive:
    """Returns a receive function with an empty body. It then waits, as for a client that stays connected, until it is cancelled."""
    empty: Message = {"type": "http.request", "body": b"", "more_body": False}

    async def never() -> Message:
        await asyncio.Event().wait()
        raise AssertionError("nothing sets this event")

    return replayed([empty], never)


def closing(send: Send) -> Send:
    """Closes the connection after the response, because the rest of the body is still on it."""

    async def sent(message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = [entry for entry in message["headers"] if entry[0].lower() != b"connection"]
            message = {**message, "headers": [*headers, (b"connection", b"close")]}
        await send(message)

    return sent


def decompressed(body: bytes, encoding: str, limit: int) -> bytes:
    """Returns the decompressed body. Raises TooLarge if it exceeds the limit, ValueError if it is invalid."""
    try:
        if encoding == "gzip":
            content = gzip.GzipFile(fileobj=BytesIO(body)).read(limit + 1)
        else:
            content = inflated(body, limit + 1)
    except (OSError, EOFError, zlib.error) as error:
        raise ValueError("the body is invalid") from error
    if len(content) > limit:
        raise TooLarge
    return content


def inflated(body: bytes, most: int) -> bytes:
    """DEFLATE with and without zlib's header: clients send both."""
    for bits in (zlib.MAX_WBITS, -zlib.MAX_WBITS):
        stream = zlib.decompressobj(bits)
        try:
            content = stream.decompress(body, most)
        except zlib.error:
            continue
        if stream.eof or len(content) >= most:
            return content
    raise zlib.error("neither form of DEFLATE")
