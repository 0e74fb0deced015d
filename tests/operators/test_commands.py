"""Every command in a drill through the real handler: used well, used badly, refused, accepted."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from operators.drill_cells import Kept, Terminal, cell, told
from picoha.cli.main import main


@pytest.fixture(scope="module")
def calm() -> Iterator[Kept]:
    with cell() as kept:
        yield kept


@pytest.fixture
def demo(calm: Kept, monkeypatch: pytest.MonkeyPatch) -> Terminal:
    """The demo cell, in enforce and well; a test leaves it as it was."""
    return Terminal(calm, monkeypatch)


LOOKS = {
    "status": ["platform1  active  1      i-00000000000000001  well  armed", "all 3 slots are well"],
    "why platform1": [
        "rule 999, steady",
        "verdict i-00000000000000001 is well: all picos answer",
        "next look at the next event, or within a minute",
        "witness ec1",
        "connects",
        "storm open 0 2",
        "brake open 0, 0, 0 2 slot/6 h, 3, 6 cell/1 h, 24 h",
    ],
    "history": ["adopted", "first-grant", "platform1"],
    "history --slot ec1 --since 2d --limit 2": ["2 of ", " rows of the last 2 days", "done"],
    "show ec1-0-1": ["first-grant ec1-0-1 is done", "ReleaseLaunch", "names-verified"],
    "plan switchover ec1": ["would begin now", "stops its picos (drain)", "epoch 2 is granted"],
    "plan failover platform1": ["203.0.113.10 is associated with it", "expected outage: not known yet"],
    "report": ["0 would-have failovers, 3 operations, 0 false rings; ready", "worst gap", "readiness: ready"],
    "doctor": ["0 errors in", "nothing stands in the way of a failover"],
}


@pytest.mark.parametrize("words", LOOKS)
def test_what_looks_answers_within_80_columns_and_changes_nothing(demo: Terminal, words: str) -> None:
    before = demo.table()
    result = demo.type(*words.split())
    parts = [" ".join(look.split()) for look in LOOKS[words] if look != "adopted"]
    flat = told(result, 0, *parts)
    assert flat.startswith("ENFORCE demo: ") and "; nothing was changed" in flat
    assert demo.table() == before


@pytest.mark.parametrize("words", LOOKS)
def test_what_looks_is_there_for_machines_too(demo: Terminal, words: str) -> None:
    plain = demo.json(*words.split())
    assert set(plain) == {"schema", "cell", "code", "message", "sentence", "changed", "unsure", "data"}
    assert (plain["schema"], plain["cell"], plain["code"]) == (1, "demo", 0)
    assert plain["data"]


def test_why_names_every_gate_and_every_sensor_with_its_age(demo: Terminal) -> None:
    data = demo.json("why", "platform1")["data"]
    assert [gate["name"] for gate in data["gates"]] == [
        "mode",
        "pause",
        "dependencies",
        "platform-first",
        "explained",
        "slot-order",
        "shape",
        "first-seen",
        "planned-event",
        "in-flight",
        "storm",
        "cool-down",
        "brake",
    ]
    assert all(gate["value"] and gate["limit"] for gate in data["gates"])
    ages = {sensor["name"]: sensor.get("age_s") for sensor in data["sensors"]}
    assert set(ages) == {
        "report",
        "metric Healthy",
        "EC2",
        "group",
        "address",
        "witness ec1",
        "witness ec2",
        "controller Tick",
        "canary",
    }
    assert all(isinstance(ages[one], int) for one in ("report", "metric Healthy", "witness ec1"))


def test_leave_is_1_while_something_depends_on_the_stack(demo: Terminal) -> None:
    told(demo.type("leave"), 1, "picoha still takes", "picoha mode observe --reason leaving")


def test_status_is_watched_until_it_is_ended(demo: Terminal) -> None:
    began = demo.world.scheduler.elapsed
    result = demo.type("status", "--watch", "--times", 3)
    assert result.exit_code == 0
    assert result.stdout.count("all 3 slots are well") == 3
    assert demo.world.scheduler.elapsed - began == 10


# Used badly.

USAGE = [
    ("why", "Missing argument 'SLOT'"),
    ("plan dance ec1", "'dance' is not one of 'failover', 'switchover'"),
    ("mode sometimes --reason test", "'sometimes' is not one of 'observe', 'enforce'"),
    ("mode observe", "Missing option '--reason'"),
    ("pause", "Missing option '--reason'"),
    ("pause --for soon --reason test", "'soon' is no time; write 90s, 30m, 2h or 14d"),
    ("history --since 5", "'5' is no time"),
    ("history --limit 0", "0 is not in the range"),
    ("failover ec1 --reason test", "Missing option '--force'"),
    ("failover ec1 --force --yes --reason test", "No such option '--yes'"),
    ("failover ec1 --force --reason test", "Say --confirm ec1; nothing was changed"),
    ("failover ec1 --force --confirm ec2 --reason test", "'ec2' is not ec1; nothing was changed"),
    ("switchover ec1 --reason test", "Say --yes; nothing was changed"),
    ("roll --reason test", "Say --yes; nothing was changed"),
    ("mode enforce --reason test", "Say --yes; nothing was changed"),
    ("abort ec1-1-1 --reason test", "Say --yes; nothing was changed"),
    ("adopt ec1 i-00000000000000002 --reason test", "Say --yes; nothing was changed"),
    ("confirm-fenced i-00000000000000002 --reason test", "Say --yes; nothing was changed"),
    ("release-storm --reason test", "Say --yes; nothing was changed"),
    ("close-breaker --reason test", "Say --yes; nothing was changed"),
    # Told by the function itself, which believes no client.
    ("why EC1", "args.slot: 'EC1'; rule: String should match pattern"),
    ("confirm-fenced host7 --yes --reason test", "args.instance: 'host7'; rule: "),
    ("retry latest --reason test", "args.operation: 'latest'; rule: "),
    ("show latest", "args.operation: 'latest'; rule: "),
    (
        "pause --for 30h --reason test",
        "args.for_s: 108000; rule: Input should be less than or equal to 86400",
    ),
    ("release-storm --for 30s --yes --reason test", "args.for_s: 30; rule: "),
    ("resume --reason x", "resume needs reason: 'x' must be one line of 2 or more characters"),
]


@pytest.mark.parametrize(("words", "part"), USAGE, ids=[one[0] for one in USAGE])
def test_a_command_used_badly_is_2_and_changes_nothing(demo: Terminal, words: str, part: str) -> None:
    before = demo.table()
    told(demo.type(*words.split()), 2, part)
    assert demo.table() == before


# Refused.

REFUSED = [
    ("why ec9", "there is no slot ec9; the cell has ec1, ec2, platform1"),
    ("plan switchover ec9", "there is no slot ec9"),
    ("pause ec9 --reason test", "there is no slot ec9"),
    ("show ec1-7-7", "there is no operation ec1-7-7; open: none"),
    ("retry ec1-7-7 --reason test", "no operation ec1-7-7 is open; open: none"),
    ("abort ec1-7-7 --yes --reason test", "no operation ec1-7-7 is open"),
    (
        "adopt ec1 i-00000000000000009 --yes --reason test",
        "adopt by ops@bastion is refused: EC2 does not say that i-00000000000000009 is running in this slot",
    ),
    (
        "confirm-fenced i-00000000000000002 --yes --reason test",
        "EC2 says i-00000000000000002 is running, and its own report is",
    ),
    ("resume --reason test", "the cell is not paused; paused: nothing"),
    ("release-storm --yes --reason test", "no storm holds anything now"),
    ("close-breaker --yes --reason test", "the breaker is not open"),
]


@pytest.mark.parametrize(("words", "part"), REFUSED, ids=[one[0] for one in REFUSED])
def test_a_refused_command_is_1_with_one_sentence_and_changes_nothing(
    demo: Terminal, words: str, part: str
) -> None:
    before = demo.table()
    flat = told(demo.type(*words.split()), 1, part)
    assert flat.startswith("ENFORCE demo: ") and flat.endswith("; nothing was changed")
    assert demo.table() == before


# Accepted, one after the other on one cell.


def test_a_pause_is_made_shown_and_ended(demo: Terminal) -> None:
    told(demo.type("pause", "ec1", "--for", "30m", "--reason", "patching"), 0, "changed: slot ec1 is paused")
    told(demo.type("status"), 0, "PAUSED ec1 until", "by ops@bastion: patching")
    told(demo.type("why", "ec1"), 0, "CLOSED pause: paused by ops@bastion", "Opens: `picoha resume`")
    told(demo.type("switchover", "ec1", "--yes", "--reason", "test"), 1, "paused by ops@bastion until")
    told(demo.type("resume", "ec1", "--reason", "done"), 0, "changed: slot ec1 is resumed")
    assert demo.json("status")["data"]["pauses"] == {}


def test_the_mode_goes_to_observe_and_back_after_a_yes(demo: Terminal) -> None:
    told(demo.type("mode", "observe", "--reason", "quiet"), 0, "OBSERVE demo:", "the mode is observe")
    told(demo.type("failover", "ec1", "--force", "--confirm", "ec1", "--reason", "test"), 1, "in observe")
    no = demo.type("mode", "enforce", "--reason", "again", answer="n\n")
    assert no.exit_code == 1 and "Aborted!" in no.output
    assert demo.json("status")["data"]["mode"] == "observe"
    told(demo.type("mode", "enforce", "--reason", "again", answer="y\n"), 0, "changed: the mode is enforce")
    demo.wait(120)
    told(demo.type("status"), 0, "ENFORCE demo: all 3 slots are well")


def test_a_switchover_shows_its_plan_asks_and_is_followed_to_its_end(demo: Terminal) -> None:
    epoch = demo.records()["ec1"].epoch
    result = demo.type("switchover", "ec1", "--reason", "new image", answer="y\n")
    told(
        result,
        0,
        "at most what",
        "Switch over? [y/N]",
        "admitted by rule 219",
        "fencing",
        "names-verified",
        "is done after",
    )
    record = demo.records()["ec1"]
    assert (record.epoch, record.phase) == (epoch + 1, "active")
    told(demo.type("plan", "switchover", "ec1"), 0, "(median of 1 ended operations of this slot)")


def test_a_forced_failover_needs_the_slots_name_typed(demo: Terminal) -> None:
    before = demo.table()
    told(demo.type("failover", "ec2", "--force", "--reason", "test", answer="yes\n"), 2, "'yes' is not ec2")
    assert demo.table() == before
    epoch = demo.records()["ec2"].epoch
    result = demo.type("failover", "ec2", "--force", "--reason", "smoke", answer="ec2\n")
    told(result, 0, "Type ec2 to go on", "forced by ops@bastion: smoke", "is done after")
    assert demo.records()["ec2"].epoch == epoch + 1
    rows = demo.json("history", "--slot", "ec2")["data"]["rows"]
    assert [row["request"] for row in rows if row["event"] == "admitted"][-1].startswith("drill-operator-")


def test_without_waiting_only_the_request_is_written(demo: Terminal) -> None:
    words = ("switchover", "ec2", "--yes", "--no-wait", "--reason", "test")
    told(demo.type(*words), 0, "(switchover) waits for the loop, which looks within a minute")
    told(demo.type("status"), 0, "Waiting: switchover by ops@bastion.")
    told(demo.type(*words), 1, "still waits for the loop; nothing was changed")
    demo.wait(400)
    told(demo.type("status"), 0, "all 3 slots are well")


def test_a_switchover_for_machines_prints_one_json_document(demo: Terminal) -> None:
    result = demo.type("switchover", "ec1", "--yes", "--json", "--reason", "test")
    plain = json.loads(result.stdout)
    assert (result.exit_code, plain["code"]) == (0, 0)
    assert plain["data"]["operation"]["step"] == "done"
    assert "names-verified" in result.stderr


def test_a_roll_goes_slot_by_slot_the_platform_last(demo: Terminal) -> None:
    epochs = {name: one.epoch for name, one in demo.records().items()}
    result = demo.type("roll", "--yes", "--reason", "new image")
    told(result, 0, "changed: ec1, ec2, platform1 switched over")
    assert {name: one.epoch for name, one in demo.records().items()} == {
        name: epoch + 1 for name, epoch in epochs.items()
    }
    places = [result.output.index(one) for one in ("ec1, 1 of 3", "ec2, 2 of 3", "platform1, 3 of 3")]
    assert places == sorted(places)


def test_help_names_every_command_and_fits(demo: Terminal) -> None:
    from click.testing import CliRunner

    for name in main.commands:
        result = CliRunner().invoke(main, [name, "--help"], env={"COLUMNS": "80"})
        assert result.exit_code == 0
        assert [line for line in result.stdout.splitlines() if len(line) > 80] == []
