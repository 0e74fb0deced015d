"""The guards that are taken out, one `Mutant` each. Every change is made to the code that ships."""

from __future__ import annotations

from dataclasses import replace

from model.changes import (
    adopt_in_any_case,
    failover_without_fence,
    fence_everybody,
    fenced_because_late,
    gate_off,
    grant_again,
    grant_in_any_case,
    has_no_address_or_settled,
    is_fencing,
    is_going,
    is_held_or_in_service,
    is_unowned,
    judged_without_unknowns,
    mode_is_open,
    next_host,
    proof_when_not_shown,
    proof_when_shutting_down,
    release_now,
    silent_without_status,
    ten_minutes_while_running,
    unpinned,
)
from model.mutants import ALL, BARE, COLD, PLATFORM, Mutant, launch_row, put, row, without
from model.world import Left
from picoha.domain.judging import gates, last_heard, signals
from picoha.domain.record import RequestVerb
from picoha.domain.rules import detection, fencing, guards, requests, verifying
from picoha.domain.situation import Situation

ROGUE = COLD._replace(name="cold, rogue", left=Left(rogues=1))
PAUSE = COLD._replace(name="cold, pause", left=Left(pauses=1))
SWITCH = COLD._replace(name="cold, mode", left=Left(modes=1))
HOOKS = COLD._replace(name="cold, hooks", left=Left(hooks=1))
TWICE = COLD._replace(name="cold, twice", brake=2, left=Left())
TAKEN = PLATFORM._replace(name="cold, address, rogue", left=Left(rogues=1))
ASKED = COLD._replace(name="cold, operator", left=Left(requests=1), asks=(RequestVerb.FAILOVER,))
ADOPTED = COLD._replace(
    name="cold, abort and adopt", left=Left(requests=2), asks=(RequestVerb.ABORT, RequestVerb.ADOPT)
)
S3 = "S3"

GRANT_UNCHECKED = row(341, then=grant_in_any_case)
FENCE_UNPROVEN = row(301, when=is_fencing)
ELSEWHERE_ASKED = without(337)
GRANT_UNCHECKED.__doc__ = "the grant's own check"
FENCE_UNPROVEN.__doc__ = "the proof of 301"
ELSEWHERE_ASKED.__doc__ = "337"
NO_ADDRESS_TAKEN = row(331, when=has_no_address_or_settled)
NO_ADDRESS_TAKEN.__doc__ = "331: a Platform needs an address"

GUARDS = (
    # What counts as evidence.
    Mutant(
        "shutting-down counts as evidence",
        (put(Situation, "proof_of", proof_when_shutting_down),),
        layers=BARE,
        only=S3,
    ),
    Mutant(
        "a host that EC2 does not show counts as off",
        (put(Situation, "proof_of", proof_when_not_shown),),
        setting=ROGUE,
        layers=BARE,
        only=S3,
    ),
    Mutant(
        "the deadline counts as evidence (305)", (row(305, then=fenced_because_late),), layers=BARE, only=S3
    ),
    Mutant(
        "shutting-down leaves FENCING (301)",
        (row(301, when=is_going),),
        masks=(GRANT_UNCHECKED,),
        layers=BARE,
        only=S3,
    ),
    Mutant(
        "FENCING is left at once (301)",
        (FENCE_UNPROVEN,),
        setting=ROGUE,
        masks=(GRANT_UNCHECKED,),
        layers=BARE,
        only=S3,
    ),
    # The grant and its order.
    Mutant(
        "the grant does not look for evidence (341)",
        (GRANT_UNCHECKED,),
        setting=ROGUE,
        masks=(FENCE_UNPROVEN,),
        layers=BARE,
        only="S2",
    ),
    Mutant("the grant keeps the epoch (341)", (row(341, then=grant_again),), layers=BARE, only="S1"),
    Mutant("a launch still held is granted (341)", (row(341, when=is_held_or_in_service),), setting=HOOKS),
    Mutant("launches are released before evidence (699)", (launch_row(699, then=release_now),)),
    Mutant(
        "a bad replacement is not fenced",
        (put(fencing, "next_victim", next_host), put(verifying, "next_victim", next_host)),
        setting=ROGUE,
        masks=(GRANT_UNCHECKED,),
        layers=BARE,
        only=S3,
    ),
    Mutant("the start gate is off", alone=replace(ALL, start_gate=False), setting=ROGUE),
    # Writes.
    Mutant("no version condition", alone=replace(ALL, versions=False), setting=TWICE),
    Mutant("the mode is not pinned by the write", alone=replace(ALL, mode_pin=False), setting=PAUSE),
    Mutant("admission does not pin the mode", (unpinned(445, detection.admit),), setting=PAUSE),
    Mutant(
        "recovery does not pin the mode",
        (unpinned(401, detection.recover),),
        setting=PAUSE._replace(left=Left(pauses=1, rogues=1)),
    ),
    Mutant("arming does not pin the mode", (unpinned(117, guards.rearm),), setting=SWITCH),
    Mutant(
        "an address may be taken from another",
        alone=replace(ALL, no_reassociation=False),
        setting=TAKEN,
        masks=(GRANT_UNCHECKED, FENCE_UNPROVEN, ELSEWHERE_ASKED),
        layers=replace(BARE, no_reassociation=False),
        only="S5",
    ),
    # Confirmation.
    Mutant(
        "the witnesses are ignored",
        (put(signals, "witnesses", lambda situation: ((), ())),),
        setting=PLATFORM,
    ),
    Mutant("the canary is ignored", (put(signals, "canary_problem", lambda situation: ""),)),
    Mutant("an unread metric is silence", (put(signals, "judge", judged_without_unknowns),)),
    Mutant("unread status checks are good", (put(signals, "_silent", silent_without_status),)),
    Mutant("the reboot grace is ignored", (put(signals, "_leaving", lambda situation, report: None),)),
    # Gates.
    Mutant(
        "mode does not gate",
        (gate_off("mode"), put(gates, "mode", mode_is_open)),
        setting=SWITCH,
        layers=BARE,
    ),
    Mutant("a pause does not gate", (gate_off("pause"),), setting=PAUSE),
    Mutant("the brake is off", (gate_off("brake"), without(441)), setting=TWICE._replace(brake=1)),
    Mutant("the storm gate is off", (gate_off("storm"),), setting=PLATFORM),
    Mutant("the in-flight gate is off", (gate_off("in_flight"),)),
    Mutant("dependencies do not gate", (gate_off("dependencies"),)),
    Mutant("the Platform is not first", (gate_off("platform_first"),)),
    Mutant("a new host has no grace", (gate_off("first_seen"),)),
    Mutant("planned AWS events do not hold", (gate_off("planned_event"),)),
    Mutant("any shape of group is taken from", (gate_off("shape"),)),
    Mutant("the cool-down is off", (gate_off("cool_down"),), story="cool-down"),
    # Bystanders.
    Mutant("every host of the slot is fenced (307)", (row(307, then=fence_everybody),), layers=BARE),
    Mutant(
        "launches that live are abandoned (607)",
        (launch_row(607, when=is_unowned),),
        setting=ROGUE,
        layers=BARE,
    ),
    Mutant(
        "a forced failover does not fence (221)",
        (row(221, then=failover_without_fence),),
        setting=ASKED._replace(left=Left(requests=1, rogues=1)),
        masks=(GRANT_UNCHECKED,),
        layers=BARE,
        only="S2",
    ),
    Mutant(
        "adopt does not ask for evidence (217)",
        (row(217, then=adopt_in_any_case),),
        setting=ADOPTED,
        layers=BARE,
        only="S2",
    ),
    # What cannot be read or is not understood.
    Mutant("a newer record is used (103)", (without(103),), layers=BARE),
    Mutant("an unreadable table is empty (101)", (without(101),), layers=BARE),
    Mutant(
        "a failed read is an empty answer (111)",
        (without(111),),
        setting=PLATFORM,
        masks=(NO_ADDRESS_TAKEN,),
        layers=BARE,
        only="S5",
    ),
    # For those the abstraction has no eyes; the simulator has.
    Mutant("the epoch floor is off (107)", (without(107),), story="table-restored"),
    Mutant("a dead launch is never abandoned (311)", (without(311),), story="replacement-lost"),
    Mutant("a target that is gone is waited for (313)", (without(313),), story="target-lost"),
    Mutant("of two candidates one is taken (321)", (without(321),), story="two-candidates"),
    Mutant("an address on a third host is asked for (337)", (without(337),), story="address-elsewhere"),
    Mutant("nobody looks for the missing fact (371)", (without(371),), story="hung-fence"),
    Mutant(
        "confirm-fenced is believed in any case",
        (put(requests, "heard_lately", lambda situation, instance: ""),),
        story="confirm-refused",
    ),
    Mutant(
        "a host that EC2 is ending counts as silent",
        (put(last_heard, "_must_be_silent", ten_minutes_while_running),),
        story="hung-and-alive",
    ),
    Mutant(
        "adopt asks for no host but its own (217)",
        (put(requests, "rival", lambda situation, named: ""),),
        story="adopt-refused",
    ),
    Mutant("a changed hostname is accepted (505)", (without(505),), story="hostname-changed"),
    Mutant(
        "held launches are not extended (611)",
        (launch_row(611, when=lambda launch: False),),
        story="hook-runs-out",
    ),
)
DEEP_GUARDS = (
    Mutant(
        "no version condition, and only two actives count",
        alone=replace(ALL, versions=False),
        setting=TWICE,
        layers=replace(BARE, versions=False),
        only=S3,
    ),
)
