"""The checks of `picoha doctor` on a cell's Auto Scaling groups and their tags.

A check is a function whose parameters name the facts it needs; it yields what is wrong, and nothing
when all is well. What would stop the fence of a slot is an error where the slot is `fenceable`, else
a warning: a cell is enforced slot by slot (design.md 3).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence

from picoha.domain.doctor.facts import GroupFacts, HookFacts
from picoha.domain.doctor.findings import Level, Row, grave
from picoha.domain.model import Kind, PicoType
from picoha.domain.policy import Policy

LAUNCH_HOOK = "picoha-launch"
LAUNCHING = "autoscaling:EC2_INSTANCE_LAUNCHING"
NEEDED_PROCESSES = frozenset({"Launch", "Terminate", "HealthCheck", "ReplaceUnhealthy"})
OUR_TAGS = ("picoha:cell", "picoha:slot")
METADATA_KEYS = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789+-=.,_:@")
"""AWS user guide, instance tags in instance metadata: what a key may be made of; else no launch."""
METADATA_RESERVED = frozenset({".", "..", "_index"})

_GROUP = "aws autoscaling {verb} --auto-scaling-group-name {name} {more}"


def _mend(verb: str, group: GroupFacts, more: str) -> str:
    return _GROUP.format(verb=verb, name=group.name, more=more)


def tagged(group: GroupFacts, key: str, value: str) -> str:
    what = f"ResourceId={group.name},ResourceType=auto-scaling-group,Key={key},Value={value}"
    return f"aws autoscaling create-or-update-tags --tags {what},PropagateAtLaunch=true"


def tags(groups: Sequence[GroupFacts]) -> Iterator[Row]:
    """Every group's tags declare one slot, no two the same, and one of them is the Platform's."""
    for group in groups:
        if group.problem:
            yield Level.ERROR, group.slot, group.problem, tagged(group, "picoha:TAG", "VALUE")
    for slot, count in Counter(one.slot for one in groups).items():
        if count > 1:
            mend = tagged(next(one for one in groups if one.slot == slot), "picoha:slot", "ANOTHER")
            yield Level.ERROR, slot, f"{count} groups carry picoha:slot={slot}", mend
    specs = [one.spec for one in groups if one.spec]
    for hostname, count in Counter(spec.hostname for spec in specs).items():
        if count > 1:
            group = next(one for one in groups if one.spec and one.spec.hostname == hostname)
            why = f"{count} slots have picoha:hostname={hostname}: a name would lead to two hosts"
            yield Level.ERROR, group.slot, why, tagged(group, "picoha:hostname", "ANOTHER")
    platforms = [spec.name for spec in specs if spec.kind is Kind.PLATFORM]
    if len(platforms) != 1 and not any(one.problem for one in groups):
        why = f"the cell has {len(platforms)} platform slots ({', '.join(platforms) or 'none'}), not one"
        yield Level.ERROR, "", why, "tag one group with picoha:kind=platform (docs/adopt.md)"


def propagation(groups: Sequence[GroupFacts]) -> Iterator[Row]:
    """Instances get the tags that picoha finds them by and that its policy asks for."""
    for group in groups:
        for key in (*OUR_TAGS, "picoha:fenceable"):
            if key in group.local:
                why = f"tag {key} is not propagated at launch: the next host is not known as the slot's"
                yield Level.ERROR, group.slot, why, tagged(group, key, "VALUE")


def metadata_keys(groups: Sequence[GroupFacts]) -> Iterator[Row]:
    """No propagated tag key is one that instance metadata refuses."""
    for group in groups:
        for key in sorted(group.propagated):
            if set(key) <= METADATA_KEYS and key not in METADATA_RESERVED:
                continue
            why = f"instance metadata refuses the propagated tag key {key!r}: the next launch fails"
            what = f"ResourceId={group.name},ResourceType=auto-scaling-group,Key={key!r}"
            yield Level.ERROR, group.slot, why, f"aws autoscaling delete-tags --tags {what}"


def shape(groups: Sequence[GroupFacts]) -> Iterator[Row]:
    """A slot is a group of one: what picoha terminates, Auto Scaling replaces, and nothing else."""
    for group in groups:
        if group.size == (1, 1, 1) or group.is_parked:
            continue
        why = f"min/max/desired is {'/'.join(map(str, group.size))}, not 1/1/1: nothing is taken from it"
        more = "--min-size 1 --max-size 1 --desired-capacity 1"
        yield grave(group), group.slot, why, _mend("update-auto-scaling-group", group, more)


def maintenance(groups: Sequence[GroupFacts]) -> Iterator[Row]:
    """Auto Scaling terminates before it launches: two hosts of one slot never run side by side."""
    for group in groups:
        if group.maintenance == (0, 100):
            continue
        found = "not set (the account's default may launch first)"
        if group.maintenance:
            found = "/".join(map(str, group.maintenance))
        more = "--instance-maintenance-policy MinHealthyPercentage=0,MaxHealthyPercentage=100"
        why = f"the instance maintenance policy is {found}, not 0/100"
        yield grave(group), group.slot, why, _mend("update-auto-scaling-group", group, more)


def processes(groups: Sequence[GroupFacts]) -> Iterator[Row]:
    """AZRebalance is suspended, and nothing is that a replacement needs."""
    for group in groups:
        if "AZRebalance" not in group.suspended:
            why = "AZRebalance is not suspended: Auto Scaling may move a healthy host to another zone"
            more = "--scaling-processes AZRebalance"
            yield grave(group), group.slot, why, _mend("suspend-processes", group, more)
        if stopped := " ".join(sorted(group.suspended & NEEDED_PROCESSES)):
            more = f"--scaling-processes {stopped}"
            why = f"{stopped} suspended: a fenced host is not replaced"
            yield grave(group), group.slot, why, _mend("resume-processes", group, more)


def launch_hook(
    groups: Sequence[GroupFacts], hooks: Mapping[str, Sequence[HookFacts]], policy: Policy
) -> Iterator[Row]:
    """The launch hook holds a replacement until it may be the slot, and lets go of it in time."""
    allowance = policy.address_deadline + policy.release_deadline
    least = int(max(policy.hook_heartbeat, allowance).total_seconds())
    for group in groups:
        launching = {one.name: one for one in hooks.get(group.name, ()) if one.transition == LAUNCHING}
        more = f"--lifecycle-hook-name {LAUNCH_HOOK} --lifecycle-transition {LAUNCHING}"
        more += f" --heartbeat-timeout {least} --default-result ABANDON"
        mend = _mend("put-lifecycle-hook", group, more)
        ours = launching.pop(LAUNCH_HOOK, None)
        if ours is None:
            why = f"no launch hook {LAUNCH_HOOK}: a replacement starts before its address and its grant"
            yield grave(group), group.slot, why, mend
        elif ours.default_result != "ABANDON":
            why = f"hook {LAUNCH_HOOK} ends in {ours.default_result}, not ABANDON"
            yield grave(group), group.slot, why, mend
        if ours is not None and ours.heartbeat_s < least:
            why = f"hook {LAUNCH_HOOK} waits {ours.heartbeat_s} s: less than {least} s, in which a launch"
            yield grave(group), group.slot, f"{why} is extended, addressed and released", mend
        yield from _other_hooks(group, launching.values(), policy)


def _other_hooks(group: GroupFacts, others: Iterable[HookFacts], policy: Policy) -> Iterator[Row]:
    allowed = int(policy.release_deadline.total_seconds())
    for hook in others:
        if hook.heartbeat_s > allowed:
            more = f"--lifecycle-hook-name {hook.name} --lifecycle-transition {LAUNCHING}"
            why = f"hook {hook.name} may hold a launch for {hook.heartbeat_s} s; {allowed} s are allowed"
            mend = _mend("put-lifecycle-hook", group, f"{more} --heartbeat-timeout {allowed}")
            yield Level.WARN, group.slot, why, mend


def warm_pool(groups: Sequence[GroupFacts]) -> Iterator[Row]:
    """A warm pool holds at least one host, and takes none back that was active."""
    for group in groups:
        pool = group.warm_pool
        if pool is None or group.is_parked:
            continue
        more = "--min-size 1 --instance-reuse-policy ReuseOnScaleIn=false"
        mend = _mend("put-warm-pool", group, more)
        if pool.min_size < 1:
            why = f"the warm pool's MinSize is {pool.min_size}: at 1/1/1 it holds nobody"
            yield Level.WARN, group.slot, why, mend
        elif not pool.members:
            why = "the warm pool is empty: the next replacement boots cold"
            activities = _mend("describe-scaling-activities", group, "--max-items 5")
            yield Level.WARN, group.slot, why, activities
        if pool.reuses:
            why = "the warm pool takes hosts back (ReuseOnScaleIn): an old holder could return"
            yield grave(group), group.slot, why, mend


def placement(groups: Sequence[GroupFacts]) -> Iterator[Row]:
    """Platform, EC and SC run on hosts of their own: Auto Scaling replaces whole hosts."""
    for group in groups:
        types = {pico.type for pico in group.spec.picos} if group.spec else set()
        mixed = types & {PicoType.PLATFORM, PicoType.EC, PicoType.SC}
        if len(mixed) > 1:
            names = ", ".join(sorted(mixed))
            why = f"{names} share a host: the product's advice on AWS is a host for each"
            yield Level.WARN, group.slot, why, tagged(group, "picoha:picos", "OF-ONE-TYPE")


def scale_in(groups: Sequence[GroupFacts]) -> Iterator[Row]:
    """Nothing is protected from scale-in: it stops no fence, but a refresh of the group waits for ever."""
    for group in groups:
        if group.shielded:
            why = f"{', '.join(group.shielded)} protected from scale-in: an instance refresh would wait"
            more = f"--instance-ids {' '.join(group.shielded)} --no-protected-from-scale-in"
            yield Level.WARN, group.slot, why, _mend("set-instance-protection", group, more)
        elif group.shields_new:
            why = "new hosts are protected from scale-in: an instance refresh would wait"
            more = "--no-new-instances-protected-from-scale-in"
            yield Level.WARN, group.slot, why, _mend("update-auto-scaling-group", group, more)
