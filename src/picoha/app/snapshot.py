"""The observation behind a decision, packed into one string: replayed later, exported as a test."""

from __future__ import annotations

import base64
import json
import zlib

from picoha.domain.codec import Undecodable, decode, encode
from picoha.domain.observation import Observation


def pack(seen: Observation) -> str:
    """Return the observation as compressed text: about 1 KB for a cell of three slots."""
    plain = json.dumps(encode(seen), separators=(",", ":"), sort_keys=True)
    return base64.b85encode(zlib.compress(plain.encode(), 9)).decode()


def unpack(text: str) -> Observation:
    """Return a packed observation; raises Undecodable."""
    try:
        plain = json.loads(zlib.decompress(base64.b85decode(text)))
    except (ValueError, zlib.error) as problem:
        raise Undecodable(f"a snapshot of {len(text)} characters cannot be unpacked: {problem}") from problem
    return decode(Observation, plain)
