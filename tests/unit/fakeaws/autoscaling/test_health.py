"""Auto Scaling in memory: health checks and suspended processes."""

from __future__ import annotations

import pytest

from unit.fakeaws.autoscaling.scaling_rig import NAME, refused, serving


@pytest.mark.parametrize("seed", range(6))
def test_a_member_ended_in_ec2_is_replaced_while_it_still_goes_down(seed: int) -> None:
    """AWS Auto Scaling guide: terminate and launch happen at the same time."""
    rig = serving(seed=seed)
    old = rig.member().instance
    rig.ec2_client.terminate_instances(InstanceIds=[old.id])
    took = rig.until(lambda: rig.states() == ["Terminating", "Pending"])
    assert 1 <= took <= 10
    assert (old.state, old.skip_os_shutdown) == ("shutting-down", False)
    rig.until(lambda: rig.states() == ["InService"])
    (ended,) = rig.sent("EC2 Instance Terminate Successful")
    assert ended["EC2InstanceId"] == old.id
    assert ended["Description"] == f"Terminating EC2 instance: {old.id}"


def test_the_terminate_activity_of_a_hanging_instance_is_not_successful() -> None:
    """AWS Auto Scaling guide: an activity succeeds when its work is done."""
    rig = serving()
    old = rig.member().instance
    rig.ec2.hang_terminate(old.id)
    rig.ec2.terminate(old.id)
    rig.run(3600)
    assert rig.states() == ["Terminating", "InService"]
    activity = next(row for row in rig.activities() if old.id in row["Description"])
    assert activity["StatusCode"] == "InProgress" and "EndTime" not in activity
    rig.ec2.release_terminate(old.id)
    rig.run(30)
    assert rig.states() == ["InService"]


def test_a_stopped_member_is_terminated_and_replaced() -> None:
    """AWS Auto Scaling guide, health checks: any state but running is unhealthy at once."""
    rig = serving()
    old = rig.member().instance
    rig.ec2.stop(old.id)
    rig.until(lambda: rig.states() == ["InService"] and rig.member().instance is not old)
    assert old.state == "terminated"


def test_impaired_status_checks_replace_a_member_after_a_few_minutes() -> None:
    """AWS Auto Scaling guide, health checks: impaired is tolerated for a few minutes."""
    rig = serving()
    old = rig.member().instance
    rig.ec2.impair(old.id)
    rig.run(175)
    assert rig.states() == ["InService"]
    rig.until(lambda: "Terminating" in rig.states(), 10)
    assert "status checks" in rig.activities()[1]["Cause"]


def test_an_impairment_that_passes_replaces_nobody() -> None:
    """AWS Auto Scaling guide: health checks."""
    rig = serving()
    rig.ec2.impair(rig.member().instance.id)
    rig.run(120)
    rig.ec2.impair(rig.member().instance.id, on=False)
    rig.run(900)
    assert rig.states() == ["InService"] and len(rig.activities()) == 1


def test_unhealthy_set_by_hand_respects_the_grace_period_unless_told_otherwise() -> None:
    """Auto Scaling API reference, SetInstanceHealth: ShouldRespectGracePeriod."""
    rig = serving(grace_s=300)
    old = rig.member().instance
    unhealthy = {"InstanceId": old.id, "HealthStatus": "Unhealthy"}
    rig.client.set_instance_health(**unhealthy)
    rig.run(10)
    assert rig.states() == ["InService"]
    rig.client.set_instance_health(**unhealthy, ShouldRespectGracePeriod=False)
    rig.run(1)
    assert rig.states() == ["Terminating", "Pending"]
    assert "user health-check" in rig.activities()[1]["Cause"]


def test_health_of_an_instance_of_no_group_is_a_validation_error() -> None:
    """Auto Scaling API reference, SetInstanceHealth."""
    stranger = serving().client.set_instance_health
    refused(stranger, "No managed instance found", InstanceId="i-0", HealthStatus="Unhealthy")


@pytest.mark.parametrize(
    ("process", "states"),
    [
        ("Launch", []),
        ("Terminate", ["InService"]),
        ("ReplaceUnhealthy", ["InService"]),
        ("HealthCheck", ["InService"]),
    ],
)
def test_a_suspended_process_does_not_run_and_catches_up_when_resumed(
    process: str, states: list[str]
) -> None:
    """AWS Auto Scaling guide: suspend and resume processes."""
    rig = serving()
    old = rig.member().instance
    names = {"AutoScalingGroupName": NAME, "ScalingProcesses": [process]}
    rig.client.suspend_processes(**names)
    assert [one["ProcessName"] for one in rig.shown()["SuspendedProcesses"]] == [process]
    rig.ec2.terminate(old.id)
    rig.run(300)
    assert rig.states() == states
    if states:
        expected = "Healthy" if process == "HealthCheck" else "Unhealthy"
        assert rig.shown()["Instances"][0]["HealthStatus"] == expected
    rig.client.resume_processes(**names)
    rig.until(lambda: rig.states() == ["InService"] and rig.member().instance is not old)


def test_health_set_by_hand_works_while_health_checks_are_suspended() -> None:
    """AWS Auto Scaling guide, suspend processes: HealthCheck."""
    rig = serving()
    rig.client.suspend_processes(AutoScalingGroupName=NAME, ScalingProcesses=["HealthCheck"])
    rig.client.set_instance_health(InstanceId=rig.member().instance.id, HealthStatus="Unhealthy")
    rig.run(1)
    assert rig.states() == ["Terminating", "Pending"]


def test_suspending_without_names_suspends_all_and_a_wrong_name_is_refused() -> None:
    """Auto Scaling API reference, SuspendProcesses."""
    rig = serving()
    rig.client.suspend_processes(AutoScalingGroupName=NAME)
    assert len(rig.shown()["SuspendedProcesses"]) == 9
    suspend = rig.client.suspend_processes
    refused(suspend, "Invalid", AutoScalingGroupName=NAME, ScalingProcesses=["Nap"])
