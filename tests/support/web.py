"""A web server on 127.0.0.1 for tests: its paths say what it does."""

from __future__ import annotations

import gzip
import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit


class Web(ThreadingHTTPServer):
    """The server, and what it was asked."""

    daemon_threads = True
    block_on_close = False
    request_queue_size = 128

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Paths)
        self.asked: list[dict[str, Any]] = []
        self.gone = threading.Event()
        """Set when a client of ``/slow`` has hung up."""

    @property
    def port(self) -> int:
        """Where it listens."""
        return self.server_port


@contextmanager
def serving() -> Iterator[Web]:
    """A server for the time of the block."""
    with Web() as web:
        thread = threading.Thread(target=web.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield web
        finally:
            web.shutdown()
            thread.join()


class Paths(BaseHTTPRequestHandler):
    """``/echo``, ``/status/N``, ``/to?url=…&status=…``, ``/loop``, ``/bytes/N``, and so on."""

    protocol_version = "HTTP/1.1"
    server: Web

    def _serve(self) -> None:
        split = urlsplit(self.path)
        body = self.rfile.read(int(self.headers.get("content-length", 0)))
        asked = {
            "method": self.command,
            "path": split.path,
            "headers": {name.lower(): value for name, value in self.headers.items()},
            "body": body.decode("latin-1"),
        }
        self.server.asked.append(asked)
        query = {name: several[0] for name, several in parse_qs(split.query).items()}
        name, _, rest = split.path.strip("/").partition("/")
        getattr(self, f"serve_{name}")(asked, rest, query)

    do_GET = do_HEAD = do_POST = do_PUT = do_DELETE = _serve

    def _answer(self, status: int, body: bytes, *headers: tuple[str, str]) -> None:
        self.send_response(status)
        for name, value in headers:
            self.send_header(name, value)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def serve_echo(self, asked: dict[str, Any], *_: object) -> None:
        self._answer(200, json.dumps(asked).encode(), ("Content-Type", "application/json"))

    def serve_status(self, _: object, number: str, *__: object) -> None:
        self._answer(int(number), b"\xff\x00as it is")

    def serve_headers(self, *_: object) -> None:
        self._answer(
            200,
            b"",
            ("X-Mixed-Case", "yes"),
            ("X-Two", "a"),
            ("x-two", "b"),
            ("Set-Cookie", "a=1; expires=Thu, 01 Jan 2099 00:00:00 GMT"),
            ("Set-Cookie", "b=2"),
            ("X-Bytes", "gr\xfcn \xff"),  # http.server writes latin-1
            ("X-Utf8", "grün".encode().decode("latin-1")),
        )

    def serve_to(self, _: object, __: str, query: dict[str, str]) -> None:
        self._answer(int(query.get("status", "302")), b"moved", ("Location", query["url"]))

    def serve_loop(self, *_: object) -> None:
        self._answer(302, b"", ("Location", "/loop"))

    def serve_count(self, _: object, left: str, __: object) -> None:
        if left == "0":
            return self._answer(200, b"there")
        return self._answer(302, b"", ("Location", f"/count/{int(left) - 1}"))

    def serve_bytes(self, _: object, number: str, __: object) -> None:
        self._answer(200, b"x" * int(number))

    def serve_endless(self, *_: object) -> None:
        """Bytes without an end and without a content-length."""
        self.send_response(200)
        self.send_header("connection", "close")
        self.end_headers()
        self.close_connection = True
        try:
            while True:
                self.wfile.write(b"x" * 65536)
        except OSError:
            self.server.gone.set()

    def serve_slow(self, *_: object) -> None:
        """Headers, then a byte now and then, for ever."""
        self.send_response(200)
        self.send_header("connection", "close")
        self.end_headers()
        self.close_connection = True
        try:
            while True:
                self.wfile.write(b".")
                time.sleep(0.01)
        except OSError:
            self.server.gone.set()

    def serve_gzip(self, _: object, how: str, __: object) -> None:
        body = {
            "fine": gzip.compress(b"unpacked"),
            "bomb": gzip.compress(b"\0" * 10_000_000),
            "cut": gzip.compress(b"unpacked")[:-5],
            "wrong": b"not gzip at all",
            "two": gzip.compress(b"one") + gzip.compress(b"two"),
        }[how]
        self._answer(200, body, ("Content-Encoding", "gzip"))

    def serve_short(self, *_: object) -> None:
        """Hangs up before the body is whole."""
        self.send_response(200)
        self.send_header("content-length", "100")
        self.end_headers()
        self.wfile.write(b"x")
        self.close_connection = True

    def serve_drop(self, *_: object) -> None:
        """Hangs up without an answer."""
        self.close_connection = True

    def log_message(self, *_: object) -> None:
        """Says nothing."""
