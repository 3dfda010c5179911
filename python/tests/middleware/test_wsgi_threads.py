"""MLflow's Flask application for the OpenID Connect plugin, in threads."""

import asyncio
import threading
import time
import unittest
from collections.abc import Callable, Iterator
from typing import Any

from asgi import Body, asked, scope_of
from mlflow_operator.wsgi_threads import JOINED_BYTES, MEMORY_BYTES, FlaskInThreads


class Output:
    """A response in parts, which knows whether it was closed."""

    def __init__(self, *parts: bytes) -> None:
        self.parts = parts
        self.is_closed = False

    def __iter__(self) -> Iterator[bytes]:
        return iter(self.parts)

    def close(self) -> None:
        self.is_closed = True


def answering(output: Any, *headers: tuple[str, str]) -> Callable[..., Any]:
    def application(environ: Any, start_response: Any) -> Any:
        start_response("200 OK", list(headers))
        return output

    return application


class FlaskInThreadsTest(unittest.TestCase):
    def test_a_response_arrives_whole_in_any_number_of_parts_and_is_closed(self) -> None:
        for parts in [[], [b""], [b"one"], [b"one", b"two"], [b"x" * 1000] * 50]:
            output = Output(*parts)
            answer = asked(FlaskInThreads(answering(output, ("X-A", "b"))), "GET", "/")
            self.assertEqual((answer.status, answer.body, answer.headers["x-a"]), (200, b"".join(parts), "b"))
            self.assertTrue(output.is_closed)

    def test_no_more_is_sent_than_the_header_says(self) -> None:
        output = Output(b"abc", b"def", b"ghi")
        self.assertEqual(asked(FlaskInThreads(answering(output, ("Content-Length", "5"))), "GET", "/").body, b"abcde")

    def test_parts_of_a_known_length_are_joined_and_those_of_a_stream_are_not(self) -> None:
        def bodies(output: Any, *headers: tuple[str, str]) -> list[bytes]:
            messages: list[Any] = []

            async def send(message: Any) -> None:
                messages.append(message)

            adapter = FlaskInThreads(answering(output, *headers))
            asyncio.run(adapter(scope_of("GET", "/"), Body(b"").receive, send))
            self.assertEqual(messages[0]["type"], "http.response.start")
            self.assertEqual(messages[-1], {"type": "http.response.body"})
            return [message["body"] for message in messages[1:-1]]

        parts = [bytes([number]) * 8192 for number in range(100)]
        whole = b"".join(parts)
        known = bodies(parts, ("Content-Length", str(len(whole))))
        self.assertEqual(b"".join(known), whole)
        self.assertEqual([len(body) for body in known], [JOINED_BYTES, JOINED_BYTES, JOINED_BYTES, 32768])
        self.assertEqual(bodies(parts), parts)

    def test_each_part_of_a_stream_is_sent_before_the_next_is_made(self) -> None:
        log: list[str] = []

        def events() -> Iterator[bytes]:
            for number in range(3):
                log.append(f"made {number}")
                yield str(number).encode()

        async def send(message: Any) -> None:
            if message.get("body"):
                log.append(f"sent {message['body'].decode()}")

        asyncio.run(FlaskInThreads(answering(events()))(scope_of("GET", "/"), Body(b"").receive, send))
        self.assertEqual(log, ["made 0", "sent 0", "made 1", "sent 1", "made 2", "sent 2"])

    def test_the_application_reads_the_body(self) -> None:
        def echo(environ: Any, start_response: Any) -> Any:
            start_response("200 OK", [])
            return [environ["wsgi.input"].read()]

        for size in (0, 10, MEMORY_BYTES * 3):
            part = bytes(size)
            self.assertEqual(asked(FlaskInThreads(echo), "POST", "/", body=Body(part, b"end")).body, part + b"end")

    def test_too_many_headers_of_one_name_are_a_bad_request(self) -> None:
        headers = [("x-a", "b")] * 200
        self.assertEqual(asked(FlaskInThreads(answering([b""])), "GET", "/", headers).status, 400)

    def test_an_error_of_the_application_is_raised(self) -> None:
        def broken(environ: Any, start_response: Any) -> Any:
            raise ValueError("broken")

        with self.assertRaisesRegex(ValueError, "broken"):
            asked(FlaskInThreads(broken), "GET", "/")

    def test_a_request_that_waits_stops_no_other(self) -> None:
        released, threads = threading.Event(), set()

        def application(environ: Any, start_response: Any) -> Any:
            threads.add(threading.get_ident())
            if environ["PATH_INFO"] == "/slow":
                released.wait(30)
            start_response("200 OK", [])
            return [environ["PATH_INFO"].encode()]

        adapter = FlaskInThreads(application)

        async def call(path: str) -> bytes:
            messages: list[Any] = []

            async def send(message: Any) -> None:
                messages.append(message)

            await adapter(scope_of("GET", path), Body(b"").receive, send)
            return b"".join(message.get("body", b"") for message in messages)

        async def run() -> None:
            slow = [asyncio.create_task(call("/slow")) for _ in range(11)]
            for _ in range(5):
                self.assertEqual(await asyncio.wait_for(call("/quick"), 20), b"/quick")
            self.assertFalse(any(each.done() for each in slow))
            released.set()
            self.assertEqual(set(await asyncio.gather(*slow)), {b"/slow"})

        asyncio.run(run())
        self.assertGreaterEqual(len(threads), 12)

    def test_a_burst_uses_no_more_threads_than_the_pools_have_connections(self) -> None:
        lock, running, most = threading.Lock(), 0, 0

        def application(environ: Any, start_response: Any) -> Any:
            nonlocal running, most
            with lock:
                running += 1
                most = max(most, running)
            time.sleep(0.01)
            with lock:
                running -= 1
            start_response("200 OK", [])
            return [b""]

        async def call() -> None:
            async def send(_: Any) -> None:
                pass

            await FlaskInThreads(application)(scope_of("GET", "/"), Body(b"").receive, send)

        async def run() -> None:
            await asyncio.gather(*(call() for _ in range(100)))

        asyncio.run(run())
        self.assertLess(most, 15)

    def test_a_long_response_waits_for_a_slow_client(self) -> None:
        produced: list[int] = []

        def parts() -> Iterator[bytes]:
            for number in range(100):
                produced.append(number)
                yield b"x" * 1000

        async def run() -> None:
            sent = 0

            async def send(message: Any) -> None:
                nonlocal sent
                sent += len(message.get("body", b"")) // 1000
                await asyncio.sleep(0)
                self.assertLessEqual(len(produced) - sent, 2)

            await FlaskInThreads(answering(parts()))(scope_of("GET", "/"), Body(b"").receive, send)
            self.assertEqual(sent, 100)

        asyncio.run(run())


if __name__ == "__main__":
    unittest.main()
