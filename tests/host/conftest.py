"""One AWS for the session, empty for each test; hosts that are gone when their test ends."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from host.loopback import Aws, Imds
from host.rig import HostRig


@pytest.fixture(scope="session")
def loopback() -> Iterator[Aws]:
    server = Aws("demo")
    with server.serving():
        yield server


@pytest.fixture
def aws(loopback: Aws) -> Iterator[Aws]:
    loopback.gone.clear()
    loopback.silent.clear()
    loopback.open()
    yield loopback
    loopback.silent.clear()


@pytest.fixture
def new_host(aws: Aws, tmp_path: Path) -> Iterator[Callable[..., HostRig]]:
    """Makes hosts: `new_host("i-2", mz_platform=...)`."""
    with ExitStack() as stack:

        def make(instance: str = "i-1", **settings: Any) -> HostRig:
            imds = Imds(**{"instance-id": instance})
            stack.enter_context(imds.serving())
            folder = tmp_path / instance
            folder.mkdir()
            rig = HostRig(folder, aws, imds, **settings)
            stack.callback(rig.close)
            return rig

        yield make


@pytest.fixture
def host(new_host: Callable[..., HostRig]) -> HostRig:
    return new_host()
