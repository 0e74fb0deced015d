"""The operator function over the cell of the loop's tests: same table, same sensors, no actuators."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from types import SimpleNamespace
from typing import Any

from picoha.adapters.aws.requests import AwsRequests
from picoha.app.errors import SensorFailed
from picoha.app.gather import one_by_one
from picoha.app.ports import OperatorPorts
from picoha.domain.doctor.findings import Finding
from picoha.domain.ledger import JournalRow
from picoha.domain.model import Sample, SlotName
from picoha.domain.record import Brake, HistoryRow, ModeRecord, Operation, Request
from picoha.lambdas.operator_handler import build
from unit.app.loop_rig import POLICY, Cell, settled


class Log:
    """Keeps what is logged: (level, message, fields)."""

    def __init__(self) -> None:
        self.lines: list[tuple[str, str, Mapping[str, object]]] = []

    def info(self, msg: str, /, *, extra: Mapping[str, object]) -> None:
        self.lines.append(("info", msg, extra))

    def warning(self, msg: str, /, *, extra: Mapping[str, object]) -> None:
        self.lines.append(("warning", msg, extra))

    def exception(self, msg: str, /, *, extra: Mapping[str, object]) -> None:
        self.lines.append(("error", msg, extra))


class Between:
    """The real requests; `before_write` runs first, and may write, raise or crash."""

    def __init__(self, inner: AwsRequests) -> None:
        self._inner = inner
        self.before_write: Callable[[], None] = lambda: None
        self.seen: Mapping[SlotName, Sequence[Sample]] | SensorFailed = {}

    def ask(self, request: Request) -> None:
        self.before_write()
        self._inner.ask(request)

    def save_mode(self, mode: ModeRecord, row: HistoryRow) -> None:
        self.before_write()
        self._inner.save_mode(mode, row)

    def save_brake(self, brake: Brake, row: HistoryRow) -> None:
        self.before_write()
        self._inner.save_brake(brake, row)

    def operation(self, name: str) -> tuple[Operation | None, Sequence[JournalRow]]:
        return self._inner.operation(name)

    def health(
        self, slots: Sequence[SlotName], since: datetime, until: datetime
    ) -> Mapping[SlotName, Sequence[Sample]]:
        if isinstance(self.seen, SensorFailed):
            raise self.seen
        return self.seen


class Operator:
    """The handler over a cell; `findings` are what `doctor` and `leave` find."""

    def __init__(self, cell: Cell | None = None) -> None:
        self.cell = cell or settled()
        clients: Any = SimpleNamespace(dynamodb=self.cell.client)
        self.requests = Between(AwsRequests("demo", self.cell.table.name, clients))
        self.findings: tuple[Finding, ...] = ()
        self.log = Log()
        ports = OperatorPorts(
            cell="demo",
            sensors=self.cell.eyes,
            memory=self.cell.memory,
            requests=self.requests,
            clock=self.cell.clock,
            gather=one_by_one,
            examine=lambda: self.findings,
            depending=lambda: self.findings,
        )
        self._handler = build(ports, POLICY, self.log)
        self._numbers = itertools.count(1)

    def send(self, request: object) -> dict[str, Any]:
        """Answer one request as it was sent."""
        return self._handler(request, SimpleNamespace(aws_request_id=f"call-{next(self._numbers)}"))

    def ask(self, verb: str, **args: object) -> dict[str, Any]:
        """Answer a command of `ops`, whose reason is a test."""
        return self.send({"schema": 1, "verb": verb, "args": args, "reason": "a test", "by": "ops"})
