"""Cells as they could be seen on a bad day: any mix of records, hosts, groups, addresses and signs.

Times come from the neighbourhood of every limit, ids from a small pool, so that the rules' conditions
meet; nothing is likely, everything is possible.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from hypothesis import strategies as st

from builders import (
    EC1,
    EC2,
    NEW,
    PLATFORM,
    a_dependency,
    a_free_address,
    a_group,
    a_host,
    a_pause,
    a_record,
    a_report,
    a_request,
    a_sick_report,
    a_silent_slot,
    a_slot,
    a_spec,
    a_vacant_record,
    ago,
    an_address,
    an_assignment,
    an_observation,
    an_operation,
    holder_of,
    in_failover,
    picos_that,
)
from picoha.domain.health import Health
from picoha.domain.model import (
    AgentPhase,
    InstanceId,
    InstanceState,
    Member,
    NamesReading,
    Report,
    Sample,
    Unknown,
)
from picoha.domain.observation import Observation, SlotObservation
from picoha.domain.record import (
    Brake,
    HoldNotice,
    Intent,
    Mode,
    ModeRecord,
    Order,
    OrderVerb,
    RequestVerb,
    SlotRecord,
    Step,
    Verb,
)

OTHER = InstanceId("i-other")
AGES = (0, 5, 14, 16, 29, 31, 44, 46, 89, 91, 121, 179, 181, 301, 481, 599, 601, 901, 1801, 3601, 90000)
LIFECYCLES = (
    "Pending",
    "Pending:Wait",
    "Pending:Proceed",
    "InService",
    "Standby",
    "Warmed:Pending:Wait",
    "Warmed:Running",
    "Terminating:Wait",
)
OPEN_STEPS = tuple(one for one in Step if one not in (Step.DONE, Step.ABORTED))
WORKING_STEPS = tuple(one for one in OPEN_STEPS if one is not Step.NEEDS_OPERATOR)
MILESTONES = ("names-verified", "picos-up", "healthy")
UNREAD = Unknown("throttled")

ages = st.sampled_from(AGES)
times = ages.map(ago)
maybe_times = st.none() | times


def rarely(odd: Any, usual: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    """Mostly the usual, sometimes the odd value."""
    return st.integers(0, 9).flatmap(lambda n: st.just(odd) if n == 9 else usual)


def pool(slot: str) -> tuple[InstanceId, ...]:
    """The instances a slot can be about."""
    return (holder_of(slot), NEW, OTHER)


@st.composite
def hosts(draw: st.DrawFn, slot: str) -> Any:
    found = []
    for instance in draw(st.sets(st.sampled_from(pool(slot)))):
        host = a_host(
            slot,
            instance,
            state=draw(st.just(InstanceState.RUNNING) | st.sampled_from(InstanceState)),
            launched_at=draw(times),
            zone=draw(st.sampled_from(("a", "b"))),
            is_impaired=draw(rarely(UNREAD, st.booleans())),
            planned_event=draw(rarely("system-reboot", st.none())),
        )
        found.append(draw(rarely(replace(host, interface=None), st.just(host))))
    return tuple(found)


@st.composite
def groups(draw: st.DrawFn, slot: str) -> Any:
    names = sorted(draw(st.sets(st.sampled_from(pool(slot)))))
    members = [Member(name, draw(st.sampled_from(LIFECYCLES))) for name in names]
    sizes = draw(st.sampled_from(((1, 1, 1), (1, 1, 1), (1, 1, 1), (0, 1, 1), (1, 2, 1), (0, 1, 0))))
    group = a_group(slot, min_size=sizes[0], max_size=sizes[1], desired=sizes[2])
    return replace(group, members=tuple(members))


def addresses(slot: str) -> st.SearchStrategy[Any]:
    places = [an_address(slot, a_host(slot, one)) for one in (*pool(slot), "i-third")]
    odd = [replace(places[0], instance=None), replace(places[1], interface=None), a_free_address(slot), None]
    return st.sampled_from((*places, *odd))


@st.composite
def operations(draw: st.DrawFn, slot: str) -> Any:
    step = draw(st.sampled_from(OPEN_STEPS))
    stuck_in = draw(st.none() | st.sampled_from(WORKING_STEPS)) if step is Step.NEEDS_OPERATOR else None
    step_at = draw(times)
    trail = {"admitted": ago(90000), step.value: step_at}
    trail |= {name: draw(times) for name in MILESTONES if draw(st.booleans())}
    victims = tuple(draw(st.lists(st.sampled_from(pool(slot)), max_size=3, unique=True)))
    op = an_operation(slot, step, stuck_in=stuck_in, trail=trail, victims=victims)
    sent = draw(times)
    effects = ("ReleaseLaunch i-new", f"FenceHost {holder_of(slot)}")
    intents = {name: Intent(1, sent, sent) for name in effects}
    return replace(
        op,
        step_at=step_at,
        verb=draw(st.sampled_from(Verb)),
        by=draw(st.sampled_from(("controller", "anna"))),
        victim=victims[-1] if victims else None,
        target=draw(st.none() | st.sampled_from(pool(slot))),
        attempt=draw(st.integers(0, 2)),
        intents=intents if draw(st.booleans()) else {},
    )


@st.composite
def records(draw: st.DrawFn, slot: str) -> SlotRecord:
    """Any record in which an open operation and the phase agree."""
    kind = draw(st.sampled_from(("vacant", "active", "active", "open", "open")))
    if kind == "vacant":
        record = a_vacant_record(slot, epoch=draw(st.integers(0, 2)))
    elif kind == "active":
        record = a_record(slot, holder=draw(st.sampled_from(pool(slot))), active_since=draw(maybe_times))
    else:
        op = draw(operations(slot))
        record = replace(in_failover(slot, op.step, stuck_in=op.stuck_in), operation=op)
    order = Order(f"{slot}-7", draw(st.sampled_from(OrderVerb)), holder_of(slot), 1, draw(times))
    rule = draw(st.sampled_from((107, 109, 111, 315, 373, 407, 443, 521)))
    return replace(
        record,
        unfenced=tuple(draw(st.lists(st.sampled_from(pool(slot)), max_size=2, unique=True))),
        is_armed=draw(st.booleans()),
        order=draw(st.none() | st.just(order)),
        attention=draw(st.none() | st.builds(HoldNotice, st.just(rule), times, maybe_times)),
        restarts=tuple(draw(st.lists(times, max_size=4))),
        ended_at=draw(maybe_times),
        would_have=draw(st.sampled_from(("", holder_of(slot)))),
        held={one: draw(times) for one in draw(st.sets(st.sampled_from(pool(slot))))},
        assignment=draw(
            st.sampled_from((None, an_assignment(slot), an_assignment(slot, hostname="old")))
            | st.just(an_assignment(slot))
        ),
    )


def a_confused_report(slot: str, instance: str) -> Report:
    """A host whose monitor failed twice and gives no clear answer now."""
    picos = picos_that(slot, Health.UNKNOWN, 99)
    sick = a_sick_report(slot, 2, instance=instance)
    return replace(sick, picos=picos, unknown_since=ago(1))


@st.composite
def reports(draw: st.DrawFn, slot: str, instance: InstanceId) -> Any:
    base = draw(st.sampled_from((a_report, a_report, a_sick_report, a_confused_report)))(
        slot, instance=instance
    )
    return replace(
        base,
        at=draw(times),
        phase=draw(st.just(AgentPhase.RUNNING) | st.sampled_from(AgentPhase)),
        epoch=draw(st.integers(0, 2)),
        highest_epoch=draw(rarely(3, st.integers(0, 1))),
        names=draw(st.sampled_from((None, NamesReading(True), NamesReading(False, "wrong")))),
        healthy_since=draw(maybe_times),
        reaches_platform=draw(st.sampled_from((None, True, False))),
        leaving_at=draw(rarely(ago(100), st.none())),
        order_done=draw(st.sampled_from((None, f"{slot}-7"))),
    )


@st.composite
def observed_slots(draw: st.DrawFn, slot: str) -> SlotObservation:
    spoken = draw(st.sets(st.sampled_from(pool(slot))))
    metric = st.none() | st.builds(Sample, times, st.sampled_from((0.0, 1.0)))
    spec = a_spec(
        slot,
        fenceable=draw(rarely(False, st.just(True))),
        hostname=draw(rarely("moved", st.just(a_spec(slot).hostname))),
        depends_on=draw(rarely((a_dependency("slot:ec2"),), st.just(()))),
    )
    is_wrong = draw(rarely(True, st.just(False)))
    verbs = draw(rarely(list(RequestVerb), st.just([])))
    asked = [
        a_request(verb, slot, id=f"r{n}", at=draw(times), instance=draw(st.sampled_from(pool(slot))))
        for n, verb in enumerate(draw(st.permutations(verbs))[:2])
    ]
    return a_slot(
        slot,
        spec=None if is_wrong else spec,
        problem="tag picoha:kind" if is_wrong else "",
        group=draw(rarely(draw(st.sampled_from((UNREAD, None))), groups(slot))),
        hosts=draw(rarely(UNREAD, hosts(slot))),
        address=draw(rarely(UNREAD, addresses(slot))),
        record=draw(rarely(None, records(slot))),
        newer=draw(rarely("schema 2", st.just(""))),
        reports={one: draw(reports(slot, one)) for one in sorted(spoken)},
        metric=draw(rarely(UNREAD, metric)),
        departed=frozenset(draw(st.sets(st.sampled_from(pool(slot)), max_size=1))),
        dependencies=draw(st.sampled_from(({}, {}, {}, {"rds:mz-db": False}, {"rds:mz-db": UNREAD}))),
        requests=tuple(asked),
    )


BYSTANDERS = st.sampled_from(
    (
        a_slot(EC2),
        a_silent_slot(EC2, 95),
        a_slot(EC2, record=in_failover(EC2)),
        a_slot(EC2, record=a_vacant_record(EC2)),
        a_slot(EC2, reports={holder_of(EC2): a_report(EC2, reaches_platform=False)}),
    )
)
"""The third slot, in the few ways that matter to the others."""


@st.composite
def cells(draw: st.DrawFn, mode: Mode | None = None) -> Observation:
    """A cell of three slots, two of them in any state; `mode` fixes the mode."""
    pause = a_pause(draw(st.sampled_from((60, -60, -601))))
    keys = draw(st.sets(st.sampled_from(("*", EC1, PLATFORM)), max_size=1))
    brake = Brake(
        ver=1,
        admitted={one: tuple(draw(st.lists(times, max_size=3))) for one in (EC1, PLATFORM)},
        is_open=draw(rarely(True, st.just(False))),
        storm_released_until=draw(maybe_times),
    )
    seen = an_observation(
        draw(observed_slots(PLATFORM)),
        draw(observed_slots(EC1)),
        draw(BYSTANDERS),
        brake=brake,
        memory=draw(rarely(UNREAD, st.none())),
        tick=draw(st.sampled_from((None, UNREAD, Sample(ago(30), 1.0), Sample(ago(200), 1.0)))),
    )
    chosen = mode or draw(st.sampled_from(Mode))
    return replace(seen, mode=ModeRecord(ver=1, mode=chosen, pauses={key: pause for key in keys}))
