"""The system resolver and the witness's TCP connection, both within a time limit."""

from __future__ import annotations

import socket

from picoha.host.system.bounded import Bounded

RESOLVE_LIMIT_S = 3.0


class SystemResolver:
    """The `Resolver` port on getaddrinfo, which reads the hosts file as every pico does."""

    def __init__(self, limit_s: float = RESOLVE_LIMIT_S) -> None:
        self._bounded = Bounded()
        self._limit_s = limit_s

    def resolve(self, name: str) -> str | None:
        """Return the first IPv4 address, or None; the product's addresses on AWS are IPv4."""
        return self._bounded.call(name, lambda: _first_address(name), self._limit_s, None)


def _first_address(name: str) -> str | None:
    try:
        found = socket.getaddrinfo(name, None, socket.AF_INET, socket.SOCK_STREAM)
    except (OSError, UnicodeError):
        return None
    return str(found[0][4][0]) if found else None


class TcpReach:
    """The `Reach` port: connected is reached, and nothing is sent."""

    def __init__(self) -> None:
        self._bounded = Bounded()

    def connects(self, name: str, port: int, timeout_s: float) -> bool:
        """Return True once connected; refused, unknown and silent are False."""
        # The socket's own limit does not cover the name service.
        limit_s = timeout_s + RESOLVE_LIMIT_S
        return self._bounded.call(f"{name}:{port}", lambda: _connects(name, port, timeout_s), limit_s, False)


def _connects(name: str, port: int, timeout_s: float) -> bool:
    try:
        socket.create_connection((name, port), timeout_s).close()
    except (OSError, UnicodeError):
        return False
    return True
