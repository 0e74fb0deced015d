"""What a cell's owner does in a story to groups, addresses and hosts: with AWS's own tools, past picoha."""

from __future__ import annotations

from picoha.adapters.aws.actuators import HOOK
from picoha.drills.setup import Setup
from picoha.drills.story import Beat
from picoha.fakeaws.autoscaling.group import LifecycleHook
from picoha.fakeaws.ec2.addresses import ElasticAddress


def desired(setup: Setup, beat: Beat) -> None:
    """Somebody sets the group's desired capacity; its limits follow."""
    group = setup.group(beat)
    group.desired = beat.number
    group.min_size = min(group.min_size, beat.number)
    group.max_size = max(group.max_size, beat.number)
    setup.world.autoscaling.balance(group)


def detach(setup: Setup, beat: Beat) -> None:
    """Somebody takes the host out of its group, which starts another (AWS: DetachInstances)."""
    group = setup.group(beat)
    del group.members[setup.host(beat).instance.id]
    setup.world.autoscaling.balance(group)


def _address(setup: Setup, beat: Beat) -> ElasticAddress:
    """Return the Elastic IP that carries the slot's tag."""
    known = setup.world.addresses.addresses.values()
    return next(one for one in known if one.tags.get("picoha:slot") == beat.slot)


def new_address(setup: Setup, beat: Beat) -> None:
    """Somebody allocates another Elastic IP, `to`, and gives it the tags of the slot's old one."""
    old = _address(setup, beat)
    setup.world.addresses.allocate(beat.to, old.tags)
    old.tags.clear()


def address_to(setup: Setup, beat: Beat) -> None:
    """Somebody moves the slot's Elastic IP by hand: to the host, to an interface, or to nobody."""
    address = _address(setup, beat)
    if beat.to == "free":
        setup.world.addresses.free(address)
    else:
        setup.world.addresses.place(address, beat.to or setup.host(beat).instance.interface_id)


def tag(setup: Setup, beat: Beat) -> None:
    """Somebody changes a tag of the slot's group."""
    setup.group(beat).tags[beat.name] = beat.to


def tag_host(setup: Setup, beat: Beat) -> None:
    """Somebody changes a tag of the slot's host, which a change of its group does not reach."""
    setup.host(beat).instance.tags[beat.name] = beat.to


def hook(is_there: bool, setup: Setup, beat: Beat) -> None:
    """Somebody gives the group picoha's launch hook, or takes it away."""
    setup.group(beat).hooks = [LifecycleHook(HOOK, heartbeat_s=900)] if is_there else []
