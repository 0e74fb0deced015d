"""The rules in words: the tables as docs/rules.md shows them, and why a slot is as it is."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from picoha.domain.decision import Decision
from picoha.domain.judging import gates, signals
from picoha.domain.judging.gate import Gate
from picoha.domain.judging.gates import OPENS
from picoha.domain.judging.storm import storm_count
from picoha.domain.model import Sample, SlotName, Unknown
from picoha.domain.observation import Observation
from picoha.domain.policy import Policy
from picoha.domain.record import Step
from picoha.domain.rules.table import LAUNCH_RULES, SLOT_RULES, decide_slot
from picoha.domain.situation import Situation, is_active


def rules_markdown() -> str:
    """Return both rule tables as markdown; numbers are what history, logs and pages name."""
    lines = ["| rule | when | answer |", "|---|---|---|"]
    lines += [f"| {rule.number} | {rule.name} | {_words(rule.then.__name__)} |" for rule in SLOT_RULES]
    lines += ["", "| launch rule | when | answer |", "|---|---|---|"]
    lines += [f"| {rule.number} | {rule.name} | {_words(rule.then.__name__)} |" for rule in LAUNCH_RULES]
    return "\n".join(lines)


def _words(name: str) -> str:
    return "wait" if name == "<lambda>" else name.replace("_", " ").strip()


@dataclass(frozen=True)
class GateLine:
    """A gate of automatic taking as read now; `opens` is empty while it is open."""

    name: str
    is_open: bool
    sentence: str
    value: str
    limit: str
    opens: str = ""


@dataclass(frozen=True)
class SensorLine:
    """What one sensor says and how old that is (seconds; None = read just now or never)."""

    name: str
    says: str
    age_s: int | None = None


@dataclass(frozen=True)
class Why:
    """Why a slot is as it is: the rule that holds, what is missing, when it is looked at again."""

    slot: SlotName
    rule: int
    answer: str
    sentence: str
    missing: str
    next_look: str
    verdict: str
    gates: tuple[GateLine, ...]
    sensors: tuple[SensorLine, ...]


def why(seen: Observation, slot: SlotName, policy: Policy) -> Why:
    """Return why a slot is as it is; raises KeyError for a slot that was not observed."""
    situation = Situation(seen, seen.slot(slot), policy)
    decision = decide_slot(seen, slot, policy)
    verdict = signals.judge(situation) if is_active(situation.record) else None
    return Why(
        slot=slot,
        rule=decision.rule,
        answer=decision.answer.value,
        sentence=decision.sentence,
        missing=missing(situation),
        next_look=next_look(decision),
        verdict=f"{situation.record.holder} is {verdict.life}: {verdict.why}" if verdict else "",
        gates=tuple(_gate_line(situation, check(situation)) for check in gates.TAKING),
        sensors=tuple(_sensor_lines(situation)),
    )


def next_look(decision: Decision) -> str:
    """Return when the loop looks again, in words."""
    if decision.look_again_s is None:
        return "at the next event, or within a minute by the schedule"
    return "at once" if decision.look_again_s == 0 else f"in {decision.look_again_s:.0f} s"


def missing(situation: Situation) -> str:
    """Return the fact that an operation in NEEDS_OPERATOR waits for and the command, or ""."""
    op, record = situation.operation, situation.record
    if op is None or op.step is not Step.NEEDS_OPERATOR:
        return ""
    retry = f"`picoha retry {op.id}`"
    owed = record.unfenced[0] if record.unfenced else op.victim
    host = situation.host(owed)
    says = f"EC2 says {host.state}" if host else "EC2 does not show it"
    report = situation.report(op.target)
    facts = {
        Step.FENCING: f"evidence that {owed} is off ({says}). When you have made sure that it is off: "
        f"`picoha confirm-fenced {owed}`",
        Step.AWAITING_HOST: f"one running host of the group to take the slot. Mend the group, then {retry}",
        Step.ADDRESSING: f"the slot's address on {op.target}. See where it is, then {retry}",
        Step.RELEASING: f"{op.target} in service in its group. See the launch hook, then {retry}",
        Step.VERIFYING: f"{op.target} verified: {(report.problem if report else '') or 'not healthy yet'}. "
        f"Mend the host, then {retry}",
    }
    return facts.get(op.stuck_in or Step.FENCING, f"a human's word: {retry}")


def _gate_line(situation: Situation, gate: Gate) -> GateLine:
    value, limit = _measured(situation)[gate.name]
    opens = "" if gate.is_open else OPENS[gate.name]
    return GateLine(gate.name, gate.is_open, gate.sentence, value, limit, opens)


def _measured(situation: Situation) -> dict[str, tuple[str, str]]:
    """Return what each gate compares: the value now and its limit."""
    policy, record, host = situation.policy, situation.record, situation.host(situation.record.holder)
    platform, held, group = situation.platform, situation.pause, situation.group
    fenceable = (
        "fenceable" if situation.observed.spec and situation.observed.spec.fenceable else "not fenceable"
    )
    since = platform.record.active_since if platform else None
    bad, most = storm_count(situation)
    return {
        "mode": (f"{situation.seen.mode.mode}, {fenceable}", "enforce, fenceable"),
        "pause": (f"until {_clock(held.until)}" if held else "none", f"ends + {_s(policy.pause_observe)}"),
        "dependencies": (_dependencies(situation), "all up"),
        "platform-first": (platform.record.phase if platform else "none", "active"),
        "explained": ("-" if situation.is_platform else _age(situation, since), _s(policy.explained_for)),
        "slot-order": (_order(situation), "active"),
        "shape": (f"{group.min_size}/{group.desired}/{group.max_size}" if group else "none", "1/1/1"),
        "first-seen": (_age(situation, host.launched_at if host else None), _s(policy.first_seen_grace)),
        "planned-event": ((host.planned_event if host else None) or "none", _s(policy.planned_event_hold)),
        "in-flight": (str(gates.busy_count(situation)), str(policy.executions_in_flight)),
        "storm": (str(bad), str(most)),
        "cool-down": (_age(situation, record.ended_at), _s(policy.cool_down)),
        "brake": _brake(situation),
    }


def _brake(situation: Situation) -> tuple[str, str]:
    policy, admitted = situation.policy, situation.seen.brake.admitted
    own = sum(
        situation.now - at < policy.brake_slot_window for at in admitted.get(situation.observed.name, ())
    )
    every = [situation.now - at for times in admitted.values() for at in times]
    hour, day = (sum(age < timedelta(hours=hours) for age in every) for hours in (1, 24))
    window = policy.brake_slot_window.total_seconds() / 3600
    slot, cell = f"{policy.brake_slot} slot/{window:.0f} h", f"{policy.brake_hour}, {policy.brake_day} cell"
    return f"{own}, {hour}, {day}", f"{slot}, {cell}/1 h, 24 h"


def _dependencies(situation: Situation) -> str:
    words = {True: "up", False: "down"}
    said = (
        f"{name} {'unknown' if isinstance(up, Unknown) else words[up]}"
        for name, up in situation.observed.dependencies.items()
    )
    return ", ".join(said) or "none"


def _order(situation: Situation) -> str:
    spec = situation.observed.spec
    return (
        ", ".join(
            dependency.target
            for dependency in (spec.depends_on if spec else ())
            if dependency.scheme == "slot"
        )
        or "-"
    )


def _s(span: timedelta) -> str:
    return f"{span.total_seconds():.0f} s"


def _clock(at: datetime) -> str:
    return f"{at:%H:%M:%S}"


def _age(situation: Situation, at: datetime | None) -> str:
    return f"{(situation.now - at).total_seconds():.0f} s" if at else "never"


def _sensor_lines(situation: Situation) -> list[SensorLine]:
    """Return every sensor with its age, the slot's own first, then the witnesses and the canary."""
    holder = situation.record.holder or (situation.operation.victim if situation.operation else None)
    report, host = situation.report(holder), situation.host(holder)
    lines = [_sample_line(situation, "metric Healthy", situation.observed.metric)]
    if report:
        said = "healthy" if report.is_healthy else report.problem or "not healthy"
        says = f"{report.instance}: {report.phase}, {said}, epoch {report.epoch}"
        lines.insert(0, SensorLine("report", says, _seconds(situation, report.at)))
    else:
        lines.insert(0, SensorLine("report", f"none from {holder or 'a holder: there is none'}"))
    impaired = host.is_impaired if host else False
    checks = "unknown" if isinstance(impaired, Unknown) else "failing" if impaired else "ok"
    lines.append(SensorLine("EC2", f"{holder} {host.state}, status checks {checks}" if host else "no host"))
    lines += [_group_line(situation), _address_line(situation), *_witness_lines(situation)]
    lines.append(_sample_line(situation, "controller Tick", situation.seen.tick))
    problem = signals.canary_problem(situation)
    lines.append(SensorLine("canary", problem or "alive: others' metrics arrive"))
    return lines


def _seconds(situation: Situation, at: datetime) -> int:
    return int((situation.now - at).total_seconds())


def _sample_line(situation: Situation, name: str, sample: Sample | Unknown | None) -> SensorLine:
    if isinstance(sample, Sample):
        return SensorLine(name, f"{sample.value:g}", _seconds(situation, sample.at))
    return SensorLine(name, f"unreadable: {sample.reason}" if sample else "no datapoint lately")


def _group_line(situation: Situation) -> SensorLine:
    found = situation.observed.group
    if isinstance(found, Unknown):
        return SensorLine("group", f"unreadable: {found.reason}")
    members = ", ".join(f"{member.instance} {member.lifecycle}" for member in found.members) if found else ""
    return SensorLine("group", f"{found.name}: {members or 'no member'}" if found else "none")


def _address_line(situation: Situation) -> SensorLine:
    found = situation.observed.address
    if isinstance(found, Unknown):
        return SensorLine("address", f"unreadable: {found.reason}")
    where = (found.instance or found.interface or "free") if found else ""
    return SensorLine("address", f"{found.public_ip} on {where}" if found else "the slot has none")


def _witness_lines(situation: Situation) -> list[SensorLine]:
    if not situation.is_platform:
        return []
    return [
        SensorLine(
            f"witness {observed.name}",
            "connects" if report.reaches_platform else "cannot connect",
            _seconds(situation, report.at),
        )
        for observed in situation.seen.slots
        for report in observed.reports.values()
        if observed.record
        and observed.record.holder == report.instance
        and report.reaches_platform is not None
    ]
