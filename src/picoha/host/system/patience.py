"""A `Cloud` that keeps the agent's time: no call holds a cycle for longer than its limit.

Publishing happens beside the cycle: tried again until the next one is due, never later.
"""

from __future__ import annotations

from functools import partial

from picoha.domain.model import Report
from picoha.domain.record import SlotRecord
from picoha.host.core.ports import AgentClock, Cloud, CloudUnreachable, SlotAnswer, TakeAnswer
from picoha.host.system.bounded import Bounded, Postman

CALL_LIMIT_S = 3.0
_LATE = CloudUnreachable(f"no answer within {CALL_LIMIT_S:.0f} s")
_NOT_READ: SlotAnswer = _LATE
_NOT_TAKEN: TakeAnswer = _LATE


class PatientCloud:
    """The `Cloud` port around another one; a call that hangs is answered as unreachable meanwhile.

    A take that was answered too late may have been written all the same. It is asked again, and the
    same condition decides again, so nothing starts on an answer that nobody saw.
    """

    def __init__(self, cloud: Cloud, clock: AgentClock, interval_s: float) -> None:
        self._cloud = cloud
        self._bounded = Bounded()
        self._post = Postman(cloud.publish, clock.monotonic, interval_s)

    def read_slot(self) -> SlotAnswer:
        """Read this slot's record."""
        return self._bounded.call("read", self._cloud.read_slot, CALL_LIMIT_S, _NOT_READ)

    def take(self, record: SlotRecord, report: Report) -> TakeAnswer:
        """Take the grant, or say that the table did not answer in time."""
        make = partial(self._cloud.take, record, report)
        return self._bounded.call("take", make, CALL_LIMIT_S, _NOT_TAKEN)

    def put_report(self, report: Report) -> bool:
        """Write this host's row; False when that was not confirmed in time."""
        return self._bounded.call("report", lambda: self._cloud.put_report(report), CALL_LIMIT_S, False)

    def publish(self, value: float) -> bool:
        """Give a datapoint to the publisher; True, since whether it arrives is not waited for."""
        self._post.give(value)
        return True
