"""What is explored: on every commit, and in the deep run with about ten times the states."""

from __future__ import annotations

from model.world import Left, Setting
from picoha.domain.record import RequestVerb

EVERYTHING = tuple(RequestVerb)

SHORT = (
    Setting("cold", False, False, Left(delays=1, rogues=1), brake=1),
    Setting("cold, address", True, False, Left(rogues=1, pauses=1), brake=1),
    Setting("warm", False, True, Left(rogues=1), brake=1),
    Setting("warm, address", True, True, Left(delays=1), brake=1),
    Setting("cold, mode", False, False, Left(rogues=1, modes=1), brake=1),
    Setting("cold, address, machines", True, False, Left(hooks=1, hangs=1, reboots=1), brake=1),
    Setting("cold, address, operator", True, False, Left(requests=1), brake=1, asks=EVERYTHING),
)
"""Every fault alone or with another; each setting is searched to its end."""

_DEEP = (
    Setting("cold", False, False, Left(delays=1, rogues=1, pauses=1, modes=1)),
    Setting("cold, address", True, False, Left(delays=2, rogues=1, pauses=1)),
    Setting("warm", False, True, Left(delays=1, rogues=1, pauses=1)),
    Setting("warm, address", True, True, Left(delays=1, rogues=1), brake=2),
    Setting("cold, mode", False, False, Left(rogues=1, hooks=1, modes=2)),
    Setting("cold, address, machines", True, False, Left(delays=1, rogues=1, hooks=1, hangs=1, reboots=1)),
    Setting("cold, address, operator", True, False, Left(delays=1, hangs=1, requests=1), asks=EVERYTHING),
    Setting("cold, operator twice", False, False, Left(hangs=1, requests=2), brake=1, asks=EVERYTHING),
)
DEEP = tuple(one._replace(asks_again=True) for one in _DEEP)

BEHIND_AN_OPEN_GATE = Setting(
    "cold, the site's own starts", False, False, Left(rogues=1, hooks=1, modes=1), brake=1, counts_wild=True
)
"""As `cold, mode`, and picos that the site started while the cell was in observe count as active."""
