"""The system resolver and the witness's TCP connection."""

from __future__ import annotations

import socket


class SystemResolver:
    """The `Resolver` port on getaddrinfo, which reads the hosts file as every pico does."""

    def resolve(self, name: str) -> str | None:
        """Return the first IPv4 address, or None; the product's addresses on AWS are IPv4."""
        try:
            found = socket.getaddrinfo(name, None, socket.AF_INET, socket.SOCK_STREAM)
        except (OSError, UnicodeError):
            return None
        return str(found[0][4][0]) if found else None


class TcpReach:
    """The `Reach` port: connected is reached, and nothing is sent."""

    def connects(self, name: str, port: int, timeout_s: float) -> bool:
        """Return True once connected; refused, unknown and silent are False."""
        try:
            socket.create_connection((name, port), timeout_s).close()
        except (OSError, UnicodeError):
            return False
        return True
