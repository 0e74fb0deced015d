"""What a cell's owner does in a story to groups, addresses and hosts: with AWS's own tools, past picoha."""

from __future__ import annotations

from picoha.adapters.aws.actuators import HOOK
from picoha.drills.setup import Stage
from picoha.drills.story import Beat
from picoha.fakeaws.autoscaling.group import Hook
from picoha.fakeaws.ec2.addresses import Address


def desired(stage: Stage, beat: Beat) -> None:
    """Somebody sets the group's desired capacity; its limits follow."""
    group = stage.group(beat)
    group.desired = beat.number
    group.min_size = min(group.min_size, beat.number)
    group.max_size = max(group.max_size, beat.number)
    stage.world.autoscaling.balance(group)


def detach(stage: Stage, beat: Beat) -> None:
    """Somebody takes the host out of its group, which starts another (AWS: DetachInstances)."""
    group = stage.group(beat)
    del group.members[stage.host(beat).instance.id]
    stage.world.autoscaling.balance(group)


def _address(stage: Stage, beat: Beat) -> Address:
    """Return the Elastic IP that carries the slot's tag."""
    known = stage.world.addresses.addresses.values()
    return next(one for one in known if one.tags.get("picoha:slot") == beat.slot)


def new_address(stage: Stage, beat: Beat) -> None:
    """Somebody allocates another Elastic IP, `to`, and gives it the tags of the slot's old one."""
    old = _address(stage, beat)
    stage.world.addresses.allocate(beat.to, old.tags)
    old.tags.clear()


def address_to(stage: Stage, beat: Beat) -> None:
    """Somebody moves the slot's Elastic IP by hand: to the host, to an interface, or to nobody."""
    address = _address(stage, beat)
    if beat.to == "free":
        stage.world.addresses.free(address)
    else:
        stage.world.addresses.place(address, beat.to or stage.host(beat).instance.interface_id)


def tag(stage: Stage, beat: Beat) -> None:
    """Somebody changes a tag of the slot's group."""
    stage.group(beat).tags[beat.name] = beat.to


def tag_host(stage: Stage, beat: Beat) -> None:
    """Somebody changes a tag of the slot's host, which a change of its group does not reach."""
    stage.host(beat).instance.tags[beat.name] = beat.to


def hook(is_there: bool, stage: Stage, beat: Beat) -> None:
    """Somebody gives the group picoha's launch hook, or takes it away."""
    stage.group(beat).hooks = [Hook(HOOK, heartbeat_s=900)] if is_there else []
