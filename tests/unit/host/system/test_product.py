"""The product's own values by a real command, mounts, and questions that hang."""

from __future__ import annotations

import socket
from contextlib import closing
from pathlib import Path

import pytest

from picoha.host.core.ports import Unreadable
from picoha.host.system.processes import Asker, Owner, owner_of
from picoha.host.system.product import HostChecks, Product

NAMES = {"pico.rcp.platform.host": "mz-platform", "pico.rcp.server.host": "ec1host"}


def product(folder: Path, text: str, limit_s: float = 5) -> Product:
    command = folder / "read-properties"
    command.write_text(f"#!/bin/sh\n{text}\n")
    command.chmod(0o755)
    return Product(Asker(), (str(command),), limit_s, Owner())


def test_both_forms_of_a_line_are_read_and_other_values_are_left_out(tmp_path: Path) -> None:
    text = """cat <<EOF
pico.rcp.platform.host = mz-platform
pico.rcp.server.host: "ec1host"
MZ_CONTAINER=ec1
a line of chatter
EOF"""
    made = product(tmp_path, text)
    assert made.properties() == NAMES
    assert HostChecks(Asker(), made).container() == "ec1"


@pytest.mark.parametrize(
    ("text", "reason"),
    [("echo no licence; exit 3", "ended with exit code 3: no licence"), ("sleep 60", "did not end within")],
)
def test_h26_command_that_fails_or_hangs_is_unreadable(tmp_path: Path, text: str, reason: str) -> None:
    found = product(tmp_path, text, limit_s=0.3).properties()
    assert isinstance(found, Unreadable) and reason in found.reason


def test_h26_command_that_is_missing_is_unreadable(tmp_path: Path) -> None:
    found = Product(Asker(), (str(tmp_path / "absent"),), 5, Owner()).properties()
    assert isinstance(found, Unreadable) and "exit code 127" in found.reason


def test_h23_value_that_is_not_set_is_absent_or_empty(tmp_path: Path) -> None:
    found = product(tmp_path, "echo pico.rcp.platform.host =").properties()
    assert found == {"pico.rcp.platform.host": ""}


def test_host_without_a_command_cannot_tell_its_container() -> None:
    assert HostChecks(Asker(), None).container() is None


def test_mount_must_be_mounted_and_answer(tmp_path: Path) -> None:
    table = tmp_path / "mountinfo"
    points = ("/", tmp_path, "/gone")
    table.write_text("".join(f"{n} 0 8:{n} / {one} rw - nfs4 x rw\n" for n, one in enumerate(points)))
    checks = HostChecks(Asker(), None, table)
    tests = (f"mount:{tmp_path}", f"mount:{tmp_path}/", "mount:/etc", "mount:/gone", "mount:", "ftp:x")
    assert list(checks.run(tests).values()) == [True, True, False, False, False, False]


def test_tcp_dependency_answers_or_not() -> None:
    with closing(socket.create_server(("127.0.0.1", 0))) as server:
        up = f"tcp:127.0.0.1:{server.getsockname()[1]}"
        found = HostChecks(Asker(), None).run((up, "tcp:127.0.0.1:1", "tcp:nonsense"))
    assert list(found.values()) == [True, False, False]


def test_question_held_by_the_kernel_is_not_asked_a_second_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Played with a kill that never comes through, as on a dead NFS mount."""
    monkeypatch.setattr("picoha.host.system.processes.kill", lambda process, wait_s=1.0: False)
    asker, counter = Asker(), tmp_path / "asked"
    argv = ("/bin/sh", "-c", f"echo once >> {counter}; exec sleep 2")
    assert asker.ask(argv, 0.5) == (None, "")
    assert asker.ask(argv, 0.5) == (None, "")
    assert counter.read_text() == "once\n"
    held = next(iter(asker._held.values()))
    held.kill()
    held.wait()
    assert asker.ask(("/bin/sh", "-c", "echo free"), 5) == (0, "free\n")


def test_owner_nobody_knows_is_an_error() -> None:
    with pytest.raises(KeyError):
        owner_of("no-such-user-here")
