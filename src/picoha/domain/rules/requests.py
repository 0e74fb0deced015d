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
from picoha.domain.situation import Situation, is_active

ABORT_PAUSE = timedelta(hours=24)
"""How long `abort` pauses its slot: the longest a pause may last (safety.md 6.3)."""


def next_request(situation: Situation) -> Request:
    """Return the request that is answered next; there must be one."""
    return min(
        situation.observed.requests, key=lambda one: (one.verb is not RequestVerb.FAILOVER, one.at, one.id)
    )


def _asks(verb: RequestVerb) -> Callable[[Situation], bool]:
    def asks(situation: Situation) -> bool:
        return bool(situation.observed.requests) and next_request(situation).verb is verb

    return asks


def _refused(situation: Situation, why: str) -> Decision:
    request = next_request(situation)
    sentence = f"{request.verb} by {request.by} is refused: {why}"
    change = Change(record=situation.record, consumes=request.id, event="refused")
    return Decision(Answer.REFUSE, sentence, change=change, look_again_s=0.0)


def is_too_old(situation: Situation) -> bool:
    return (
        bool(situation.observed.requests)
        and situation.now - next_request(situation).at > situation.policy.request_expires
    )


def refuse_old(situation: Situation) -> Decision:
    return _refused(situation, "it waited too long to be carried out safely; ask again")


def has_no_record(situation: Situation) -> bool:
    is_adopt = bool(situation.observed.requests) and next_request(situation).verb is RequestVerb.ADOPT
    return bool(situation.observed.requests) and situation.observed.record is None and not is_adopt


def refuse_unrecorded(situation: Situation) -> Decision:
    return _refused(situation, "the slot has no record yet")


def confirm_fenced(situation: Situation) -> Decision:
    """A named human's evidence; refused while the host, or a witness of it, speaks (ADR 0015)."""
    request = next_request(situation)
    instance = request.instance
    if instance is None or instance not in situation.record.unfenced:
        waiting = ", ".join(situation.record.unfenced) or "none"
        return _refused(situation, f"{instance} is not waiting for evidence; waiting: {waiting}")
    heard = heard_lately(situation, instance)
    if heard:
        return _refused(situation, f"EC2 {shown(situation, instance)}, and {heard}")
    proof = Evidence(
        instance, situation.observed.name, EvidenceKind.OPERATOR, situation.now, request.reason, request.by
    )
    left = tuple(one for one in situation.record.unfenced if one != instance)
    change = Change(
        record=replace(situation.record, unfenced=left),
        evidence=(proof,),
        consumes=request.id,
        event="confirmed-fenced",
    )
    sentence = f"{request.by} confirms that {instance} is off: {request.reason}"
    return Decision(Answer.PROVE, sentence, change=change, look_again_s=0.0)


def retry(situation: Situation) -> Decision:
    op = situation.operation
    if op is None or op.step is not Step.NEEDS_OPERATOR or op.stuck_in is None:
        return _refused(situation, "no operation of this slot waits for an operator")
    again = replace(op, step=op.stuck_in, stuck_in=None, step_at=situation.now, attempt=0, intents={})
    record = replace(situation.record, operation=again)
    change = Change(record=record, consumes=next_request(situation).id, event="retried")
    sentence = f"{next_request(situation).by} lets {op.id} try {again.step} again"
    return Decision(Answer.STEP, sentence, change=change, look_again_s=0.0)


def abort(situation: Situation) -> Decision:
    """End the operation where it is: the slot is vacant and paused, evidence stays owed (design.md 6)."""
    if situation.operation is None:
        return _refused(situation, "no operation of this slot is open")
    op, request = opened(situation), next_request(situation)
    ended = replace(
        op, step=Step.ABORTED, step_at=situation.now, trail={**op.trail, "aborted": situation.now}
    )
    record = replace(situation.record, operation=None, phase=Phase.VACANT, holder=None)
    paused = Pause(
        f"abort of {op.id}: {request.reason}", request.by, situation.now, situation.now + ABORT_PAUSE
    )
    mode = replace(
        situation.seen.mode, pauses={**situation.seen.mode.pauses, situation.observed.name: paused}
    )
    told = notice(
        situation, op, "info", f"aborted by {request.by}: {request.reason}. The slot is vacant and paused"
    )
    change = Change(record, mode=mode, ended=ended, consumes=request.id, event="aborted", notice=told)
    return Decision(Answer.FINISH, f"{op.id} is aborted by {request.by}", change=change)


def adopt(situation: Situation) -> Decision:
    """A human names the holder; the epoch goes above everything any agent has seen (S17)."""
    request, record = next_request(situation), situation.record
    host = situation.host(request.instance)
    others = [instance for instance in record.unfenced if instance != request.instance]
    if record.operation is not None:
        return _refused(situation, f"{record.operation.id} is open")
    if host is None or host.state is not InstanceState.RUNNING:
        return _refused(situation, f"EC2 does not say that {request.instance} is running in this slot")
    if others:
        return _refused(
            situation, f"{', '.join(others)} held the slot and has no evidence; confirm-fenced first"
        )
    other = rival(situation, host.instance)
    if other:
        return _refused(situation, f"{other}; it must be terminated first, or be the one that is adopted")
    highest = max([record.epoch, *(report.highest_epoch for report in situation.observed.reports.values())])
    adopted = replace(
        record,
        epoch=highest + 1,
        holder=host.instance,
        phase=Phase.ACTIVE,
        is_armed=situation.is_armed,
        assignment=situation.renewed_assignment,
        unfenced=(host.instance,),
        granted_at=situation.now,
        active_since=None,
        would_have="",
    )
    change = Change(
        record=adopted,
        evidence=_later_holders_proven_off(situation),
        grant=host.instance,
        pins_mode=True,
        consumes=request.id,
        event="adopted",
    )
    sentence = f"{request.by} adopts {host.instance} as epoch {highest + 1}: {request.reason}"
    return Decision(Answer.UPKEEP, sentence, change=change, look_again_s=0.0)


def _later_holders_proven_off(situation: Situation) -> tuple[Evidence, ...]:
    """Evidence of holders that only their own reports tell of, the record being lost or old (S2)."""
    later = (
        report
        for report in situation.observed.reports.values()
        if report.highest_epoch > situation.record.epoch
    )
    proofs = (situation.proof_of(one.instance) for one in later)
    return tuple(proof for proof in proofs if proof is not None)


def switchover(situation: Situation) -> Decision:
    """Drain, then the same road; needs a healthy holder and open dependencies, counts for no limit."""
    verdict = signals.judge(situation)
    needed = (gates.mode, gates.pause, gates.dependencies, gates.platform_first, gates.shape, gates.in_flight)
    closed = gates.first_closed(situation, needed)
    if not is_active(situation.record):
        return _refused(situation, f"the slot is {situation.record.phase}, not active")
    if verdict.life is signals.Life.SUSPECT:
        return wait(f"the switchover waits for a clear sight of its holder: {verdict.why}")
    if verdict.life is not signals.Life.WELL:
        return _refused(
            situation, f"its holder is not well ({verdict.why}); a switchover needs a healthy one"
        )
    if closed:
        return _refused(situation, closed.sentence)
    request = next_request(situation)
    return begin(situation, Verb.SWITCHOVER, Step.DRAINING, f"{request.by}: {request.reason}", request)


def failover(situation: Situation) -> Decision:
    """Now, on a human's word: skips detection, cool-down, storm and dependencies, never fencing."""
    closed = gates.first_closed(situation, (gates.mode, gates.shape))
    if not is_active(situation.record):
        return _refused(situation, f"the slot is {situation.record.phase}, not active")
    if closed:
        return _refused(situation, closed.sentence)
    request = next_request(situation)
    return begin(situation, Verb.FAILOVER, Step.FENCING, f"forced by {request.by}: {request.reason}", request)


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
