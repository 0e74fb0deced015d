"""Rules 2xx: an operator's request, accepted or refused by the same rules as everything else.

One request at a time, a forced failover before all others, then the oldest; each is consumed in the
transaction that answers it.
Force may skip detection and limits, never evidence (safety S14).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

from picoha.domain.decision import Answer, Change, Decision, Rule, wait
from picoha.domain.judging import gates, signals
from picoha.domain.judging.last_heard import heard_lately, rival, shown
from picoha.domain.model import Evidence, EvidenceKind, InstanceState
from picoha.domain.record import Pause, Phase, Request, RequestVerb, Step, Verb
from picoha.domain.rules.steps import begin, notice, opened
from picoha.domain.situation import Case, is_active

ABORT_PAUSE = timedelta(hours=24)
"""How long `abort` pauses its slot: the longest a pause may last (safety.md 6.3)."""


def next_request(case: Case) -> Request:
    """Return the request that is answered next; there must be one."""
    return min(case.sight.requests, key=lambda one: (one.verb is not RequestVerb.FAILOVER, one.at, one.id))


def _asks(verb: RequestVerb) -> Callable[[Case], bool]:
    def asks(case: Case) -> bool:
        return bool(case.sight.requests) and next_request(case).verb is verb

    return asks


def _refused(case: Case, why: str) -> Decision:
    request = next_request(case)
    sentence = f"{request.verb} by {request.by} is refused: {why}"
    change = Change(record=case.record, consumes=request.id, event="refused")
    return Decision(Answer.REFUSE, sentence, change=change, look_again_s=0.0)


def is_too_old(case: Case) -> bool:
    return bool(case.sight.requests) and case.now - next_request(case).at > case.policy.request_expires


def refuse_old(case: Case) -> Decision:
    return _refused(case, "it waited too long to be carried out safely; ask again")


def has_no_record(case: Case) -> bool:
    is_adopt = bool(case.sight.requests) and next_request(case).verb is RequestVerb.ADOPT
    return bool(case.sight.requests) and case.sight.record is None and not is_adopt


def refuse_unrecorded(case: Case) -> Decision:
    return _refused(case, "the slot has no record yet")


def confirm_fenced(case: Case) -> Decision:
    """A named human's evidence; refused while the host, or a witness of it, speaks (ADR 0015)."""
    request = next_request(case)
    instance = request.instance
    if instance is None or instance not in case.record.unfenced:
        waiting = ", ".join(case.record.unfenced) or "none"
        return _refused(case, f"{instance} is not waiting for evidence; waiting: {waiting}")
    heard = heard_lately(case, instance)
    if heard:
        return _refused(case, f"EC2 {shown(case, instance)}, and {heard}")
    proof = Evidence(instance, case.sight.name, EvidenceKind.OPERATOR, case.now, request.reason, request.by)
    left = tuple(one for one in case.record.unfenced if one != instance)
    change = Change(
        record=replace(case.record, unfenced=left),
        evidence=(proof,),
        consumes=request.id,
        event="confirmed-fenced",
    )
    sentence = f"{request.by} confirms that {instance} is off: {request.reason}"
    return Decision(Answer.PROVE, sentence, change=change, look_again_s=0.0)


def retry(case: Case) -> Decision:
    op = case.operation
    if op is None or op.step is not Step.NEEDS_OPERATOR or op.stuck_in is None:
        return _refused(case, "no operation of this slot waits for an operator")
    again = replace(op, step=op.stuck_in, stuck_in=None, step_at=case.now, attempt=0, intents={})
    record = replace(case.record, operation=again)
    change = Change(record=record, consumes=next_request(case).id, event="retried")
    sentence = f"{next_request(case).by} lets {op.id} try {again.step} again"
    return Decision(Answer.STEP, sentence, change=change, look_again_s=0.0)


def abort(case: Case) -> Decision:
    """End the operation where it is: the slot is vacant and paused, evidence stays owed (design.md 6)."""
    if case.operation is None:
        return _refused(case, "no operation of this slot is open")
    op, request = opened(case), next_request(case)
    ended = replace(op, step=Step.ABORTED, step_at=case.now, trail={**op.trail, "aborted": case.now})
    record = replace(case.record, operation=None, phase=Phase.VACANT, holder=None)
    paused = Pause(f"abort of {op.id}: {request.reason}", request.by, case.now, case.now + ABORT_PAUSE)
    mode = replace(case.seen.mode, pauses={**case.seen.mode.pauses, case.sight.name: paused})
    told = notice(
        case, op, "info", f"aborted by {request.by}: {request.reason}. The slot is vacant and paused"
    )
    change = Change(record, mode=mode, ended=ended, consumes=request.id, event="aborted", notice=told)
    return Decision(Answer.FINISH, f"{op.id} is aborted by {request.by}", change=change)


def adopt(case: Case) -> Decision:
    """A human names the holder; the epoch goes above everything any agent has seen (S17)."""
    request, record = next_request(case), case.record
    host = case.host(request.instance)
    others = [one for one in record.unfenced if one != request.instance]
    if record.operation is not None:
        return _refused(case, f"{record.operation.id} is open")
    if host is None or host.state is not InstanceState.RUNNING:
        return _refused(case, f"EC2 does not say that {request.instance} is running in this slot")
    if others:
        return _refused(case, f"{', '.join(others)} held the slot and has no evidence; confirm-fenced first")
    other = rival(case, host.instance)
    if other:
        return _refused(case, f"{other}; it must be terminated first, or be the one that is adopted")
    highest = max([record.epoch, *(one.highest_epoch for one in case.sight.reports.values())])
    adopted = replace(
        record,
        epoch=highest + 1,
        holder=host.instance,
        phase=Phase.ACTIVE,
        is_armed=case.is_armed,
        assignment=case.renewed_assignment,
        unfenced=(host.instance,),
        granted_at=case.now,
        active_since=None,
        would_have="",
    )
    change = Change(
        record=adopted,
        evidence=_later_holders_proven_off(case),
        grant=host.instance,
        pins_mode=True,
        consumes=request.id,
        event="adopted",
    )
    sentence = f"{request.by} adopts {host.instance} as epoch {highest + 1}: {request.reason}"
    return Decision(Answer.UPKEEP, sentence, change=change, look_again_s=0.0)


def _later_holders_proven_off(case: Case) -> tuple[Evidence, ...]:
    """Evidence of holders that only their own reports tell of, the record being lost or old (S2)."""
    later = (one for one in case.sight.reports.values() if one.highest_epoch > case.record.epoch)
    proofs = (case.proof_of(one.instance) for one in later)
    return tuple(proof for proof in proofs if proof is not None)


def switchover(case: Case) -> Decision:
    """Drain, then the same road; needs a healthy holder and open dependencies, counts for no limit."""
    verdict = signals.judge(case)
    needed = (gates.mode, gates.pause, gates.dependencies, gates.platform_first, gates.shape, gates.in_flight)
    closed = gates.first_closed(case, needed)
    if not is_active(case.record):
        return _refused(case, f"the slot is {case.record.phase}, not active")
    if verdict.life is signals.Life.SUSPECT:
        return wait(f"the switchover waits for a clear sight of its holder: {verdict.why}")
    if verdict.life is not signals.Life.WELL:
        return _refused(case, f"its holder is not well ({verdict.why}); a switchover needs a healthy one")
    if closed:
        return _refused(case, closed.sentence)
    request = next_request(case)
    return begin(case, Verb.SWITCHOVER, Step.DRAINING, f"{request.by}: {request.reason}", request)


def failover(case: Case) -> Decision:
    """Now, on a human's word: skips detection, cool-down, storm and dependencies, never fencing."""
    closed = gates.first_closed(case, (gates.mode, gates.shape))
    if not is_active(case.record):
        return _refused(case, f"the slot is {case.record.phase}, not active")
    if closed:
        return _refused(case, closed.sentence)
    request = next_request(case)
    return begin(case, Verb.FAILOVER, Step.FENCING, f"forced by {request.by}: {request.reason}", request)


RULES: tuple[Rule, ...] = (
    Rule(201, "a request is too old", is_too_old, refuse_old),
    Rule(203, "a request for an unrecorded slot", has_no_record, refuse_unrecorded),
    Rule(211, "confirm-fenced is asked", _asks(RequestVerb.CONFIRM_FENCED), confirm_fenced),
    Rule(213, "retry is asked", _asks(RequestVerb.RETRY), retry),
    Rule(215, "abort is asked", _asks(RequestVerb.ABORT), abort),
    Rule(217, "adopt is asked", _asks(RequestVerb.ADOPT), adopt),
    Rule(219, "a switchover is asked", _asks(RequestVerb.SWITCHOVER), switchover),
    Rule(221, "a forced failover is asked", _asks(RequestVerb.FAILOVER), failover),
)
