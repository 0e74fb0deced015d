"""The real hosts file and the agent's own disk: whole or not at all."""

from __future__ import annotations

import os
import socket
from pathlib import Path

import pytest

from picoha.domain.model import InstanceId, SlotName
from picoha.host.core.names import apply
from picoha.host.core.ports import SavedState
from picoha.host.system.files import JsonDisk, SystemHostsFile
from picoha.host.system.network import SystemResolver, TcpReach
from unit.host.fakes import granted

ENTRIES = {"mz-platform": "203.0.113.10"}


def test_hosts_file_keeps_foreign_bytes_mode_and_leaves_no_other_file(tmp_path: Path) -> None:
    path = tmp_path / "hosts"
    path.write_bytes(b"127.0.0.1 localhost\r\n# caf\xe9\n")
    path.chmod(0o640)
    assert apply(SystemHostsFile(path), ENTRIES)
    assert path.read_bytes().startswith(b"127.0.0.1 localhost\r\n# caf\xe9\n# picoha")
    assert path.stat().st_mode & 0o777 == 0o640
    assert os.listdir(tmp_path) == ["hosts"]


def test_second_run_does_not_touch_the_file(tmp_path: Path) -> None:
    path = tmp_path / "hosts"
    path.write_text("127.0.0.1 localhost\n")
    apply(SystemHostsFile(path), ENTRIES)
    before = path.stat()
    assert not apply(SystemHostsFile(path), ENTRIES)
    assert (path.stat().st_ino, path.stat().st_mtime_ns) == (before.st_ino, before.st_mtime_ns)


def test_hosts_file_behind_a_link_is_replaced_where_it_is(tmp_path: Path) -> None:
    real, link = tmp_path / "real", tmp_path / "hosts"
    real.write_text("127.0.0.1 localhost\n")
    link.symlink_to(real)
    apply(SystemHostsFile(link), ENTRIES)
    assert link.is_symlink() and "mz-platform" in real.read_text()


def test_missing_hosts_file_is_made_readable_for_all(tmp_path: Path) -> None:
    path = tmp_path / "hosts"
    apply(SystemHostsFile(path), ENTRIES)
    assert path.stat().st_mode & 0o777 == 0o644


def test_write_that_fails_leaves_the_old_file_and_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "hosts"
    path.write_text("127.0.0.1 localhost\n")

    def refuse(*_: object) -> None:
        raise OSError(28, "no space left on device")

    monkeypatch.setattr(os, "fsync", refuse)
    with pytest.raises(OSError, match="no space"):
        apply(SystemHostsFile(path), ENTRIES)
    assert path.read_text() == "127.0.0.1 localhost\n"
    assert os.listdir(tmp_path) == ["hosts"]


def test_disk_gives_back_what_was_saved(tmp_path: Path) -> None:
    disk = JsonDisk(tmp_path / "state.json")
    me = SlotName("ec1"), InstanceId("i-1")
    kept = SavedState(*me, 3, "boot-1", 4, has_read=True, record=granted(), hostnames=("a", "b"))
    disk.save(kept)
    assert disk.load() == kept
    assert (tmp_path / "state.json").stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b'{"slot": "ec1"}', b"\xff\xfe", b"null"])
def test_damaged_disk_is_as_good_as_none(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "state.json"
    path.write_bytes(content)
    assert JsonDisk(path).load() is None


def test_absent_disk_is_none(tmp_path: Path) -> None:
    assert JsonDisk(tmp_path / "state.json").load() is None


def test_resolver_answers_with_one_ipv4_address_or_none() -> None:
    assert SystemResolver().resolve("localhost") == "127.0.0.1"
    assert SystemResolver().resolve("x." * 200) is None
    assert SystemResolver().resolve("") is None


def test_witness_connects_to_what_listens_and_not_to_what_refuses() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = int(listener.getsockname()[1])
        assert TcpReach().connects("localhost", port, 2.0)
    assert not TcpReach().connects("localhost", port, 2.0)
