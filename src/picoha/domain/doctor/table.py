"""The table of `picoha doctor`: every check, what it says when all is well, and how it is run."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from picoha.domain.doctor import controller, groups, hosts, network
from picoha.domain.doctor.findings import Finding, Level, Row
from picoha.domain.model import Unknown


@dataclass(frozen=True)
class Check:
    """One check: `run`'s parameters name its facts; `ok` is said when it yields nothing."""

    id: str
    run: Callable[..., Iterator[Row]]
    ok: str

    @property
    def needs(self) -> tuple[str, ...]:
        """The names of the facts that it looks at."""
        return tuple(inspect.signature(self.run).parameters)


NO_DRY_RUN = (
    "IAM's simulator allows the reconcile role every change on things with the cell's tags. It sees no "
    "resource policies, and an EC2 dry run needs the grant itself, which this function must not have"
)

CHECKS = (
    Check("settings", controller.settings, "the reconcile function's settings are valid"),
    Check("permissions", controller.permissions, NO_DRY_RUN),
    Check("tags", groups.tags, "every group declares one slot; one is the Platform's"),
    Check("tags-propagated", groups.propagation, "new hosts get picoha's tags"),
    Check("tags-metadata", groups.metadata_keys, "instance metadata accepts every propagated tag"),
    Check("group-shape", groups.shape, "every group is 1/1/1, or parked"),
    Check("group-maintenance", groups.maintenance, "every group terminates before it launches"),
    Check("group-processes", groups.processes, "AZRebalance is suspended, nothing needed is"),
    Check("launch-hook", groups.launch_hook, "every launch is held, long enough, then abandoned"),
    Check("warm-pool", groups.warm_pool, "every warm pool holds a host"),
    Check("placement", groups.placement, "Platform, EC and SC have hosts of their own"),
    Check("scale-in-protection", groups.scale_in, "no host is protected from scale-in"),
    Check("termination-protection", hosts.termination, "every host can be terminated"),
    Check("disks", hosts.disks, "a fence would delete no disk"),
    Check("host-tags", hosts.host_tags, "hosts and their interfaces carry the tags of the policy"),
    Check("agents", hosts.agents, "every agent reports, in one version"),
    Check("address", network.address, "every address is on a host of its slot, or free"),
    Check("address-quota", network.address_quota, "the account may allocate one more Elastic IP"),
    Check("platform-ports", network.platform_ports, "the Platform admits every execution slot"),
    Check("path-to-aws", network.path_to_aws, "every subnet leads to AWS before an address arrives"),
    Check("alarms", controller.alarms, "every slot has an alarm that rings this controller"),
    Check("table", controller.table, "the table is protected, backed up and on demand"),
    Check("records", controller.schema, "every record is understood"),
    Check("dead-letters", controller.dead_letters, "no doorbell was lost"),
)


def judge(facts: Mapping[str, object | Unknown], checks: Sequence[Check] = CHECKS) -> tuple[Finding, ...]:
    """Return the findings of every check, in order; raises KeyError for a fact that nobody gathered."""
    return tuple(one for check in checks for one in _judged(check, facts))


def _judged(check: Check, facts: Mapping[str, object | Unknown]) -> Iterator[Finding]:
    given = {name: facts[name] for name in check.needs}
    unseen = {one.reason for one in given.values() if isinstance(one, Unknown)}
    if unseen:
        why = f"could not look: {'; '.join(sorted(unseen))}"
        yield Finding(check.id, Level.WARN, "", why, "mend the read, then look again", is_unseen=True)
        return
    rows = [Finding(check.id, *row) for row in check.run(**given)]
    yield from rows or [Finding(check.id, Level.OK, "", check.ok)]
