"""A botocore session that holds little: for a process that stays and makes four calls only.

botocore keeps whole service models in memory: a client for DynamoDB and one for CloudWatch take 14 MB,
most of it text for readers and operations that nobody calls. Here a model keeps the operations of `CALLS`
with the shapes that they reach. Measured with botocore 1.44.5: 50 MB resident become 43 MB, and 41 MB with
the malloc settings of the agent's unit.
"""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

from botocore.loaders import JSONFileLoader, Loader
from botocore.session import Session

CALLS = frozenset(("GetItem", "PutItem", "PutMetricData", "TransactWriteItems"))
"""What a host asks of AWS; the clients of a lean session have no other method."""

_OPENERS = ((".json", Path.read_bytes), (".json.gz", lambda path: gzip.decompress(path.read_bytes())))
_FOR_READERS = ("documentation", "examples")


class LeanFiles(JSONFileLoader):
    """Reads botocore's data files for its `Loader`, and leaves out what no call here needs."""

    def exists(self, file_path: str) -> bool:
        """Return whether there is a file of this name, without its ending."""
        return any(Path(file_path + ending).is_file() for ending, _ in _OPENERS)

    def load_file(self, file_path: str) -> Any:
        """Return what the file holds, or None where there is none."""
        for ending, opened in _OPENERS:
            with suppress(FileNotFoundError):
                text = opened(Path(file_path + ending))
                return _with_reached_shapes(json.loads(text, object_pairs_hook=_lean))
        return None


def lean_session() -> Session:
    """Return a session whose clients know the operations of `CALLS` and no other."""
    session = Session()
    session.register_component("data_loader", Loader(file_loader=LeanFiles()))
    return session


def _lean(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Make one object of a file while it is parsed: what is left out here never exists at all."""
    made = {key: value for key, value in pairs if not (key in _FOR_READERS and isinstance(value, str))}
    if isinstance(operations := made.get("operations"), dict):
        # A service that is not ours stays whole: botocore may need it to find credentials.
        made["operations"] = {name: one for name, one in operations.items() if name in CALLS} or operations
    if "partition" in made and isinstance(made.get("services"), dict):
        # Where each service is comes from its own endpoint rules; this older list is only a fallback.
        made["services"] = {}
    return made


def _with_reached_shapes(data: Any) -> Any:
    if not isinstance(data, dict) or not {"operations", "shapes"} <= set(data):
        return data
    reached: dict[str, Any] = {}
    waiting = set(_shapes_of(data["operations"]))
    while waiting:
        name = waiting.pop()
        reached[name] = data["shapes"][name]
        waiting.update(one for one in _shapes_of(reached[name]) if one not in reached)
    return {**data, "shapes": reached}


def _shapes_of(part: Any) -> Iterator[str]:
    """Yield the name of every shape that a part of a model refers to."""
    if isinstance(part, dict):
        for key, value in part.items():
            if key == "shape" and isinstance(value, str):
                yield value
            else:
                yield from _shapes_of(value)
    elif isinstance(part, list):
        for one in part:
            yield from _shapes_of(one)
