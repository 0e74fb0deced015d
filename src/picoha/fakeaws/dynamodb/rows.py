"""The rows of one fakeaws table: kept by key, sorted, with an undo list for stale reads."""

from __future__ import annotations

import marshal
from bisect import bisect_left, insort
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

from picoha.fakeaws.dynamodb.values import Item

KEYS = ("pk", "sk")
Key = tuple[str, str]


@dataclass(frozen=True)
class Row:
    """One item at rest; it is never changed, only replaced."""

    key: Key
    item: Item
    size: int

    @cached_property
    def _frozen(self) -> bytes:
        return marshal.dumps(self.item)

    def copy(self) -> Item:
        """Return an item the caller may change (marshal: 20 times faster than copy.deepcopy)."""
        item: Item = marshal.loads(self._frozen)
        return item


Snapshot = tuple[Row, ...]


class Table:
    """A table as the world sees it; `Tables.operations` is what its users see."""

    def __init__(self, name: str, stale_versions: int = 0) -> None:
        self.name = name
        self.stale_versions = stale_versions
        self._rows: dict[Key, Row] = {}
        self._sort_keys: dict[str, list[str]] = {}
        self._undo: deque[dict[Key, Row | None]] = deque()

    def items(self) -> list[Item]:
        """Return copies of all items, ordered by key."""
        return [self._rows[key].copy() for key in sorted(self._rows)]

    def snapshot(self) -> Snapshot:
        """Return a backup of this moment."""
        return tuple(self._rows.values())

    def restore(self, backup: Snapshot) -> None:
        """Replace all rows by those of an older `snapshot`, as a restored table would have them."""
        self._rows, self._sort_keys = {}, {}
        self._undo.clear()
        self.write({row.key: row for row in backup})
        self._undo.clear()

    def write(self, changes: Mapping[Key, Row | None]) -> None:
        """Put the rows, delete where None: all of them at once, as one version of the table."""
        if not changes:
            return
        self._undo.appendleft({key: self._rows.get(key) for key in changes})
        while len(self._undo) > self.stale_versions:
            self._undo.pop()
        for key, row in changes.items():
            if row is not None:
                if key not in self._rows:
                    insort(self._sort_keys.setdefault(key[0], []), key[1])
                self._rows[key] = row
            elif self._rows.pop(key, None) is not None:
                keys = self._sort_keys[key[0]]
                del keys[bisect_left(keys, key[1])]

    def row(self, key: Key, age: int = 0) -> Row | None:
        """Return the row as it was `age` writes ago."""
        found = self._rows.get(key)
        for version in list(self._undo)[:age]:
            found = version.get(key, found)
        return found

    def sort_keys(self, pk: str, age: int = 0) -> list[str]:
        """Return the sort keys of one partition as they were `age` writes ago, ascending."""
        now = self._sort_keys.get(pk, [])
        if age == 0:
            return now
        touched = {key[1] for version in list(self._undo)[:age] for key in version if key[0] == pk}
        return sorted(sk for sk in touched.union(now) if self.row((pk, sk), age) is not None)
