"""A decision as a value: which rule, what is said, what is written, what is done."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from enum import StrEnum

from picoha.domain.actions import Action
from picoha.domain.model import Evidence, InstanceId
from picoha.domain.record import Brake, ModeRecord, Notice, Operation, SlotRecord
from picoha.domain.situation import Situation


class Answer(StrEnum):
    """What kind of decision it is; HOLD and ALERT ask for a human's attention."""

    STEADY = "steady"
    WAIT = "wait"
    HOLD = "hold"
    ALERT = "alert"
    PROVE = "prove"
    BEGIN = "begin"
    STEP = "step"
    SEND = "send"
    FINISH = "finish"
    UPKEEP = "upkeep"
    REFUSE = "refuse"


@dataclass(frozen=True)
class Change:
    """What one conditional transaction writes; everything in it is pinned to versions read.

    `because` is the evidence that its history row names, where nothing else in the change says it.
    """

    record: SlotRecord
    evidence: tuple[Evidence, ...] = ()
    grant: InstanceId | None = None
    proven: tuple[InstanceId, ...] = ()
    brake: Brake | None = None
    mode: ModeRecord | None = None
    pins_mode: bool = False
    ended: Operation | None = None
    consumes: str | None = None
    event: str = ""
    notice: Notice | None = None
    because: str = ""


@dataclass(frozen=True)
class Decision:
    """The answer of the first rule that matched.

    `sentence` is for people; `look_again_s` is set when progress is near (seconds).
    """

    answer: Answer
    sentence: str
    actions: tuple[Action, ...] = ()
    change: Change | None = None
    look_again_s: float | None = None
    rule: int = 0

    def stamped(self, rule: int) -> Decision:
        """This decision with the number of the rule that made it."""
        return replace(self, rule=rule)


@dataclass(frozen=True)
class Rule:
    """One row of a table: a number that never changes meaning, a name, a condition, an answer."""

    number: int
    name: str
    when: Callable[[Situation], bool]
    then: Callable[[Situation], Decision]


SOON_S = 3.0
"""How soon to look again while AWS is carrying out an effect (design.md 2.4: 2 to 5 s)."""


def hold(sentence: str) -> Decision:
    """Do nothing, and page if it lasts."""
    return Decision(Answer.HOLD, sentence)


def alert(sentence: str) -> Decision:
    """Do nothing, and page at once."""
    return Decision(Answer.ALERT, sentence)


def wait(sentence: str, look_again_s: float | None = SOON_S) -> Decision:
    """Do nothing yet; progress is expected."""
    return Decision(Answer.WAIT, sentence, look_again_s=look_again_s)
