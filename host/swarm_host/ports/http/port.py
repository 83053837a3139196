"""Port ``http``: what ``swarm.http.request`` does. The client comes with the extra ``http``."""

from __future__ import annotations

import os
import re
import zlib
from collections.abc import AsyncIterator
from http.cookiejar import CookieJar, DefaultCookiePolicy
from socket import gaierror
from ssl import SSLContext, SSLError
from typing import TYPE_CHECKING, Any

import anyio

from swarm_host.ports.contract import Answer, Call, PortError
from swarm_host.ports.hosts import DEFAULT_PORTS, admits
from swarm_host.ports.secrets import Mask, reveal
from swarm_host.version import __version__

if TYPE_CHECKING:
    from httpx2 import AsyncClient, Request, Response

MAX_REDIRECTS = 10
CREDENTIALS = frozenset({b"authorization", b"cookie", b"proxy-authorization"})
"""Headers that another origin than the one they were meant for never gets."""

Headers = list[tuple[bytes, bytes]]


class Failure(Exception):
    """A request that went wrong: its text is the ``reason`` of ``http_error``."""


class Http:
    """One request over HTTP/1.1, a client each: no cookie and no connection outlives it."""

    def __init__(self) -> None:
        self._tls: SSLContext | None = None  # reading the certificates takes some 20 ms

    async def __call__(self, payload: dict[str, Any], call: Call) -> Answer:
        """Asks, follows redirects, and answers with ``status``, ``url``, ``headers`` and the body.

        :param payload: ``method``, ``url``, ``headers`` (pairs; each character is a byte, and
            ``{"secret": name}`` may stand for a value), ``timeout`` (seconds, for all of it),
            ``max_body`` (bytes), ``bounds`` (hosts, see
            :func:`~swarm_host.ports.hosts.admits`; absent: any).
        :param call: its data is the request's body.
        :raises PortError: ``http_error`` with ``url`` and ``reason``; ``role_violation`` where a
            bound is in the way (the bridge adds role and verb); ``host_error`` where the extra is
            missing.
        """
        try:
            import httpx2
            from h11 import LocalProtocolError
        except ImportError:
            text = "swarm.http comes with an extra: pip install 'swarm-host[http]'"
            raise PortError("host_error", text) from None
        if self._tls is None:
            self._tls = httpx2.create_ssl_context()
        exchange = Exchange(payload, call.data)
        try:
            exchange.prepare()
            client = httpx2.AsyncClient(
                verify=self._tls,
                timeout=None,
                cookies=CookieJar(DefaultCookiePolicy(allowed_domains=[])),
            )
            with anyio.fail_after(payload["timeout"]):
                async with client:
                    return await exchange.run(client)
        except Failure as problem:
            reason = str(problem)
        except TimeoutError:
            reason = f"no whole answer within {payload['timeout']:g} s"
        except (httpx2.HTTPError, httpx2.InvalidURL, LocalProtocolError, OSError) as problem:
            reason = exchange.masked(_innermost(problem))
        url = exchange.shown
        text = f"{payload['method']} {url}: {reason}"
        raise PortError("http_error", text, url=url, reason=reason)


class Exchange:
    """A request and what its redirects make of it."""

    def __init__(self, payload: dict[str, Any], body: bytes | None) -> None:
        self.shown = _without_password(payload["url"])
        self._payload = payload
        self._bounds: list[list[str]] | None = payload.get("bounds")
        self._headers: Headers = []
        self._mask = Mask(())
        self._with_secret: set[bytes] = set()
        self._body = body
        self._unzip = True
        """The author did not ask for an encoding: we do, and take it off again."""

    def prepare(self) -> None:
        """Reads the headers, with the secrets that stand in them.

        :raises Failure: a secret is not there, or cannot be a header; the length that the headers
            give is not the body's.
        """
        secrets = []
        for name, value in self._payload["headers"]:
            if isinstance(value, dict):
                text = _revealed(name, value["secret"])
                secrets.append(text)
                self._with_secret.add(name.lower().encode("latin-1"))
            else:
                text = value.encode("latin-1")
            self._headers.append((name.encode("latin-1"), text))
        self._mask = Mask(secrets)
        self.shown = self.masked(self.shown)
        self._unzip = not self._has(b"accept-encoding")
        size = str(len(self._body or b""))
        for name, value in self._headers:
            if name.lower() == b"content-length" and value.decode("latin-1").strip() != size:
                said = value.decode("latin-1")
                raise Failure(f"content-length says {said}, and the body has {size} bytes")

    def masked(self, text: str) -> str:
        """A text as it may be told."""
        return self._mask.whole(text.encode(errors="replace")).decode(errors="replace")

    async def run(self, client: AsyncClient) -> Answer:
        """Sends the request, and those that redirects ask for, until there is an answer."""
        request = self._first(client)
        for _ in range(MAX_REDIRECTS + 1):
            self._check(request)
            response = await client.send(request, stream=True, follow_redirects=False)
            try:
                following = response.next_request
                if following is None:
                    return await self._answer(response)
            finally:
                await response.aclose()
            request = self._redirected(client, request, following)
        raise Failure(f"redirected more than {MAX_REDIRECTS} times")

    def _first(self, client: AsyncClient) -> Request:
        from httpx2 import URL

        url = URL(self._payload["url"])
        if self._unzip:
            self._headers.append((b"accept-encoding", b"gzip"))
        if not self._has(b"user-agent"):
            self._headers.append((b"user-agent", f"swarm-host/{__version__}".encode()))
        return client.build_request(
            self._payload["method"], url, headers=self._headers, content=self._body
        )

    def _redirected(self, client: AsyncClient, before: Request, following: Request) -> Request:
        """The next request: the client says the method and the URL, we what goes along."""
        url = following.url
        if url.origin != before.url.origin:
            self._drop(CREDENTIALS | {b"host"} | self._with_secret)
        if following.method != before.method:
            self._body = None
            self._drop({b"content-type", b"content-length", b"transfer-encoding"})
        self.shown = self.masked(_without_password(str(url)))
        return client.build_request(
            following.method, url, headers=self._headers, content=self._body
        )

    def _check(self, request: Request) -> None:
        """Refuses what is no HTTP, and where the bounds do not let it go.

        :raises Failure: the URL is none of ours.
        :raises PortError: ``role_violation``.
        """
        from httpx2 import URL

        url = request.url
        if url.scheme not in DEFAULT_PORTS or not url.host:
            raise Failure("only URLs that begin with http:// or https:// and a host are spoken")
        if url.port is not None and not 0 < url.port < 65536:
            raise Failure(f"there is no port {url.port}")
        if self._bounds is None:
            return
        places = [(url.host, url)]
        if self._has(b"host"):  # one server may be many hosts, and tells them apart by the header
            named = request.headers["host"]
            plain = re.fullmatch(r"[^/?#@\\\s]+", named)
            places.append((named, URL(f"{url.scheme}://{named}/" if plain else "http:")))
        for name, place in places:
            if not admits(self._bounds, place):
                allowed = " and ".join(", ".join(several) for several in self._bounds)
                text = f"{name} is out of bounds: the role allows {allowed} ({self.shown})"
                raise PortError("role_violation", self.masked(text))

    async def _answer(self, response: Response) -> Answer:
        encoded = response.headers.get("content-encoding", "").strip().lower()
        unzip = self._unzip and encoded in ("gzip", "x-gzip")
        limit = self._payload["max_body"]
        if unzip:
            body = await _unzipped(response.aiter_raw(), limit, self._mask)
        else:
            body = await _gathered(response.aiter_raw(), limit, self._mask)
        gone = {b"content-encoding", b"content-length"} if unzip else set()
        headers = [
            (name.lower().decode("latin-1"), self._mask.whole(value).decode("latin-1"))
            for name, value in response.headers.raw
            if name.lower() not in gone
        ]
        return Answer(
            value={"status": response.status_code, "url": self.shown, "headers": headers},
            data=body,
        )

    def _has(self, wanted: bytes) -> bool:
        return any(name.lower() == wanted for name, _ in self._headers)

    def _drop(self, unwanted: set[bytes] | frozenset[bytes]) -> None:
        self._headers = [pair for pair in self._headers if pair[0].lower() not in unwanted]


def _revealed(header: str, name: str) -> bytes:
    """A secret as a header's value."""
    try:
        value = reveal(name, f"header {header}").strip()
    except PortError as problem:
        raise Failure(problem.message) from None
    if re.search(rb"[\x00-\x08\x0a-\x1f\x7f]", value):
        raise Failure(
            f'header {header}: the secret "{name}" has a line break or a control character'
        )
    return value


async def _gathered(chunks: AsyncIterator[bytes], limit: int, mask: Mask) -> bytes:
    """All bytes, up to a limit, with secrets masked.

    :raises Failure: there are more.
    """
    body, size, mask = bytearray(), 0, mask.another()
    async for chunk in chunks:
        body += mask.feed(chunk)
        size += len(chunk)
        if size > limit:
            raise Failure(f"the body is longer than max_body, {limit} bytes")
    return bytes(body + mask.rest())


async def _unzipped(chunks: AsyncIterator[bytes], limit: int, mask: Mask) -> bytes:
    """All bytes unpacked, up to a limit: a small body may unpack to a huge one.

    :raises Failure: there are more, or it is no gzip.
    """
    unpack = zlib.decompressobj(16 + zlib.MAX_WBITS)

    async def unpacked() -> AsyncIterator[bytes]:
        begun, left = False, limit + 1
        async for chunk in chunks:
            begun = True
            out = unpack.decompress(chunk, left)
            left -= len(out)
            yield out
        if begun and (not unpack.eof or unpack.unused_data):
            raise Failure("the body is no whole gzip stream")

    try:
        return await _gathered(unpacked(), limit, mask)
    except zlib.error:
        raise Failure("the body is not the gzip that its content-encoding says") from None


def _without_password(url: str) -> str:
    """A URL as it may be shown: errors end up in logs."""
    return re.sub(r"(?<=//)[^/?#]*@", "", url, count=1)


def _innermost(problem: BaseException) -> str:
    """What the system said, below the client's own words for it."""
    words = str(problem) or type(problem).__name__
    seen: BaseException | None = problem
    while seen is not None:
        if isinstance(seen, OSError) and seen.errno:
            words = _system_words(seen)
        if isinstance(seen, BaseExceptionGroup):
            seen = seen.exceptions[0]
        else:
            seen = seen.__cause__ or seen.__context__
    return words[:1].lower() + words[1:] if words[1:2].islower() else words


def _system_words(problem: OSError) -> str:
    verify_message: str | None = getattr(problem, "verify_message", None)  # of a certificate
    if verify_message:
        return f"the certificate is not valid: {verify_message}"
    if problem.errno and not isinstance(problem, gaierror | SSLError):
        return os.strerror(problem.errno)  # asyncio puts words of its own into strerror
    return problem.strerror or str(problem)
