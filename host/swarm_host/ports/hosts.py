"""Bounds of verb ``use_network``: which hosts a request may go to.

Only the text of a host is looked at, never what it resolves to. Both sides are read by the HTTP
client's own parser, so that what is checked is what is connected to.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from httpx2 import URL

DEFAULT_PORTS = {"http": 80, "https": 443}
"""The schemes that are spoken, and the port each means where a URL names none."""

_BOUND = re.compile(r"(\*\.)?(\[[^]]*\]|[^:]*)(?::(\d+))?")


def admits(bounds: Iterable[Iterable[str]], url: URL) -> bool:
    """Whether a request may go to a URL: each list of bounds must have one that admits it.

    A bound is a host (``api.example.com``, ``127.0.0.1``, ``[::1]``), with ``:port`` where only
    that port is meant. ``*.example.com`` is every host below ``example.com``, and not that one
    itself; ``*`` is every host. Case and a dot at the end make no difference.

    :param bounds: lists of hosts: a role's, and those of the roles that cut it down. An empty list
        admits nothing.
    :param url: where the request would go: its scheme is one of :data:`DEFAULT_PORTS`.
    """
    return _admits(bounds, _plain(url), url.port or DEFAULT_PORTS[url.scheme])


def admits_place(bounds: Iterable[Iterable[str]], host: str, port: int) -> bool:
    """Whether a connection may be made to a host's port, by the bounds of :func:`admits`.

    :param bounds: lists of hosts.
    :param host: a name or an address, without brackets.
    :param port: a number.
    """
    plain = _plain_name(f"[{host}]" if ":" in host else host)
    return plain is not None and _admits(bounds, plain, port)


def _admits(bounds: Iterable[Iterable[str]], host: str, port: int) -> bool:
    return all(any(_fits(bound.strip(), host, port) for bound in several) for several in bounds)


def _fits(bound: str, host: str, port: int) -> bool:
    if bound == "*":
        return True
    found = _BOUND.fullmatch(bound)
    below, name, wanted = found.groups() if found else (None, bound, None)  # else a bare IPv6
    allowed = _plain_name(name)
    if not allowed or (wanted and int(wanted) != port):
        return False
    return host.endswith("." + allowed) if below and not _is_address(host) else host == allowed


def _plain_name(name: str) -> str | None:
    """A bound's host as the client would write it, or None where it can be no host."""
    try:
        from httpx2 import URL, InvalidURL
    except ImportError:  # it comes with the extra; without it names are not spelled anew
        return _spelled(name.strip("[]"))

    try:
        return _plain(URL(scheme="http", host=name))
    except (InvalidURL, ValueError):
        return None


def _plain(url: URL) -> str:
    return _spelled(url.raw_host.decode("ascii"))


def _spelled(name: str) -> str:
    """One spelling for each host: lower case, no dot at the end, the short form of IPv6."""
    host = name.lower().removesuffix(".")
    return str(ipaddress.ip_address(host)) if _is_address(host) else host


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True
