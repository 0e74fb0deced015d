"""The truth of one slot: machines, their picos, the group, the address; and what moves by itself.

The controller never sees a `World`; it sees views of it (views.py). All values are small integers in
tuples, so that a world hashes fast and two equal worlds are one.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from picoha.domain.record import RequestVerb

MACHINES = 3

ABSENT, RUNNING, SHUTTING, HUNG, TERMINATED = range(5)
"""Power. HUNG: EC2 says shutting-down for ever although the machine is off."""
OUT, HELD, SERVING, WARMING, WARM = range(5)
"""Place in the group. HELD waits in the launch hook, WARMING in the warm pool's."""
OFF, DUE, ACTIVE, WILD = range(4)
"""Picos. DUE: the grant was taken, the start follows at any time; WILD: started behind an open gate."""
FREE, NO_ADDRESS = -1, -2
PAUSED, OBSERVE = 1, 2
"""Bits of `World.mode`; 0 is enforce and not paused."""
SWITCHES = ((PAUSED, "pauses", "pause", "resume"), (OBSERVE, "modes", "mode observe", "mode enforce"))
VERBS = ("", *RequestVerb)
"""`World.asked` is a verb's place here times MACHINES plus the machine that it names."""


class Machine(NamedTuple):
    """One instance; `taken` is the epoch of the grant that its host took in this boot."""

    power: int = ABSENT
    place: int = OUT
    picos: int = OFF
    taken: int = 0


class Left(NamedTuple):
    """How many faults of each kind may still happen."""

    delays: int = 0
    rogues: int = 0
    hooks: int = 0
    hangs: int = 0
    reboots: int = 0
    pauses: int = 0
    modes: int = 0
    requests: int = 0


class World(NamedTuple):
    """The truth and the table. `record` and `brake` are numbers on the decider's shelves.

    `owed`, `proven`, `condemned` are bits of machines: granted and without evidence, with a FENCE
    row, victim of an admitted operation. `top` is the highest GRANT row.
    """

    machines: tuple[Machine, ...]
    address: int
    record: int
    brake: int
    mode: int
    asked: int
    owed: int
    proven: int
    condemned: int
    top: int
    left: Left


class Setting(NamedTuple):
    """What is explored: the kind of slot, the standby, and the faults that may happen.

    `counts_wild`: S3 also counts picos that the site itself started behind an open gate.
    `asks_again`: sights on which nothing may be done are decided whatever else is seen (README.md).
    """

    name: str
    has_address: bool
    is_warm: bool
    left: Left
    brake: int = 2
    retries: int = 1
    asks: tuple[RequestVerb, ...] = ()
    counts_wild: bool = False
    asks_again: bool = False


class Step(NamedTuple):
    """What happened, the world after it, and the invariant that it broke ("" for none)."""

    said: str
    world: World
    broke: str = ""


def with_machine(world: World, n: int, **fields: int) -> World:
    """The world with some fields of one machine changed."""
    machines = world.machines
    changed = machines[n]._replace(**fields)
    return world._replace(machines=(*machines[:n], changed, *machines[n + 1 :]))


def spend(world: World, fault: str) -> World:
    """The world with one fault of this kind fewer to come."""
    left = world.left
    return world._replace(left=left._replace(**{fault: getattr(left, fault) - 1}))


def shut(world: World, n: int) -> World:
    """EC2 begins to shut the machine down; its picos go on until it is off."""
    return with_machine(world, n, power=SHUTTING) if world.machines[n].power == RUNNING else world


def end_launch(world: World, n: int, is_released: bool) -> World:
    """A launch hook ends: CONTINUE puts the machine into service or the pool, ABANDON ends it."""
    machine = world.machines[n]
    if machine.place not in (HELD, WARMING):
        return world
    if is_released and machine.power == RUNNING:
        return with_machine(world, n, place=SERVING if machine.place == HELD else WARM)
    return shut(with_machine(world, n, place=OUT), n)


def nature(world: World, setting: Setting) -> Iterator[Step]:
    """Everything EC2 and Auto Scaling do by themselves."""
    for n in range(MACHINES):
        yield from _powers(world, n)
        yield from _hooks(world, n)
    yield from _launches(world, setting)


def _powers(world: World, n: int) -> Iterator[Step]:
    machine, left = world.machines[n], world.left
    if machine.power == SHUTTING:
        place = HELD if machine.place == HELD else OUT
        off = with_machine(world, n, power=TERMINATED, place=place, picos=OFF, taken=0)
        yield Step(f"EC2: {n} is terminated", off._replace(address=FREE) if off.address == n else off)
        if left.hangs:
            hung = spend(with_machine(world, n, power=HUNG, picos=OFF), "hangs")
            yield Step(f"EC2: {n} is off, but stays shutting-down for ever", hung)
    if machine.power == RUNNING and left.rogues and machine.place in (SERVING, HELD):
        said = f"Auto Scaling replaces {n} on its own" if machine.place == SERVING else f"held {n} fails"
        yield Step(said, spend(shut(world, n), "rogues"))
    if machine.power == RUNNING and left.reboots:
        yield Step(f"host {n} reboots", spend(with_machine(world, n, picos=OFF, taken=0), "reboots"))


def _hooks(world: World, n: int) -> Iterator[Step]:
    machine = world.machines[n]
    if machine.place == HELD and machine.power != RUNNING:
        yield Step(f"hook of {n} runs out, which is off", end_launch(world, n, is_released=False))
    elif machine.place in (HELD, WARMING) and world.left.hooks:
        yield Step(f"hook of {n} runs out", spend(end_launch(world, n, is_released=False), "hooks"))


def _launches(world: World, setting: Setting) -> Iterator[Step]:
    """Replace as soon as the member is not running, the old one still shutting down."""
    machines = world.machines
    fills = any(
        machine.place == HELD or (machine.place == SERVING and machine.power == RUNNING)
        for machine in machines
    )
    warm = next((n for n, one in enumerate(machines) if one.place == WARM and one.power == RUNNING), None)
    new = next((n for n, one in enumerate(machines) if one.power == ABSENT), None)
    if not fills and warm is not None:
        yield Step(f"Auto Scaling takes {warm} from the warm pool", with_machine(world, warm, place=HELD))
    elif not fills and new is not None:
        yield Step(f"Auto Scaling launches {new}", with_machine(world, new, power=RUNNING, place=HELD))
    has_pool = any(machine.place in (WARMING, WARM) and machine.power == RUNNING for machine in machines)
    if setting.is_warm and not has_pool and new is not None:
        filled = with_machine(world, new, power=RUNNING, place=WARMING)
        yield Step(f"Auto Scaling launches {new} into the warm pool", filled)


def modes(world: World) -> Iterator[Step]:
    """A human changes pause or mode; what was closed can always be opened again."""
    for bit, fault, on, off in SWITCHES:
        if world.mode & bit:
            yield Step(f"operator: {off}", world._replace(mode=world.mode & ~bit))
        elif getattr(world.left, fault):
            yield Step(f"operator: {on}", spend(world._replace(mode=world.mode | bit), fault))


def requests(world: World, setting: Setting) -> Iterator[Step]:
    """A human asks; `confirm-fenced` only of a machine that is really off, `adopt` of a running one."""
    if world.asked or not world.left.requests:
        return
    for verb in setting.asks:
        for n, machine in enumerate(world.machines):
            if _may_ask(verb, n, machine):
                asked = world._replace(asked=VERBS.index(verb) * MACHINES + n)
                yield Step(f"operator: {verb} {n}", spend(asked, "requests"))


def _may_ask(verb: RequestVerb, n: int, machine: Machine) -> bool:
    if verb is RequestVerb.CONFIRM_FENCED:
        return machine.power in (HUNG, TERMINATED)
    return machine.power == RUNNING if verb is RequestVerb.ADOPT else n == 0
