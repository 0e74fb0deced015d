"""The errors of the controller: each says what was tried, and carries what its catcher decides by."""

from __future__ import annotations


class PicohaError(Exception):
    """Is the base of every error raised on purpose; its text is one sentence for the operator."""


class SettingsInvalid(PicohaError):
    """Says that the environment or a file of settings is wrong: die at start, run nothing."""


class UnknownEvent(PicohaError):
    """Says that an event is none of ours: log it, count it, do nothing, never retry."""


class MalformedEvent(PicohaError):
    """Says that an event looks like ours but its content is broken: log it, count it, never retry."""


class LostRace(PicohaError):
    """Says that someone else saved first; the normal end of the slower of two handlers.

    `may_be_ours` is true when the request was sent more than once: the refused repetition may have
    met our own first success, so whoever wrote must compare the nonce before believing it lost.
    `reasons` are DynamoDB's codes, one per action of a transaction ("None" = would have passed).
    """

    def __init__(self, sentence: str, may_be_ours: bool = False, reasons: tuple[str, ...] = ()) -> None:
        super().__init__(sentence)
        self.may_be_ours = may_be_ours
        self.reasons = reasons


class SensorFailed(PicohaError):
    """Says that one read failed; inside observe it becomes Unknown(reason), which never admits."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class MemoryUnreadable(PicohaError):
    """Says that the table could not be read, or not understood: nothing may be given or taken."""


class ActionFailed(PicohaError):
    """Says that a change was refused, or that its answer never came.

    `code` is AWS's error code, or the name of the connection's error. `kind` is one of the words of
    `picoha.adapters.aws.faults`. With `outcome_known` false the change may have happened: only an
    observation can tell.
    """

    def __init__(
        self, sentence: str, code: str, outcome_known: bool, kind: str, request_id: str = ""
    ) -> None:
        super().__init__(sentence)
        self.code = code
        self.outcome_known = outcome_known
        self.kind = kind
        self.request_id = request_id


class OperatorUnreachable(PicohaError):
    """Says that the operator function gave no answer; with `outcome_known` false it may have run."""

    def __init__(self, sentence: str, outcome_known: bool = True) -> None:
        super().__init__(sentence)
        self.outcome_known = outcome_known


class InvariantBroken(PicohaError):
    """Says that the forbidden was about to be ordered: act on nothing, page, raise."""
