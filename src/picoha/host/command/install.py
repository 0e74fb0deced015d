"""Put the agent's units and settings on a host, and take them away; running picos notice neither."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from picoha.host.system.config import DEFAULT_PATH
from picoha.host.system.files import write_whole
from picoha.host.system.processes import Asker

UNITS = Path("etc/systemd/system")
SERVICE, SLICE = "picoha-agent.service", "picoha-picos.slice"
_TEMPLATES = Path(__file__).parents[1] / "templates"
_SYSTEMCTL_LIMIT_S = 60.0


def install(root: Path, config: Path = DEFAULT_PATH) -> list[str]:
    """Write units, settings and hook folders under `root`; return what was done, one line each.

    Settings that exist are never touched. Raises OSError.
    """
    said = []
    for name in ("pre-start.d", "post-start.d"):
        (root / "etc/picoha" / name).mkdir(parents=True, exist_ok=True)
    for name in (SERVICE, SLICE):
        text = (_TEMPLATES / name).read_text().replace("@python@", sys.executable)
        said.append(_bring(root / UNITS / name, text.replace("@config@", str(config))))
    settings = root / config.relative_to("/")
    if settings.exists():
        said.append(f"kept      {settings}")
    else:
        said.append(_bring(settings, (_TEMPLATES / "agent.toml").read_text()))
    return said


def uninstall(root: Path) -> list[str]:
    """Remove the units under `root`; settings, state and the hosts file stay. Raises OSError."""
    said = []
    for name in (SERVICE, SLICE):
        with suppress(FileNotFoundError):
            (root / UNITS / name).unlink()
            said.append(f"removed   {root / UNITS / name}")
    return said


def systemctl(asker: Asker, *commands: Sequence[str]) -> list[str]:
    """Run systemctl commands in order; return what failed, one line each."""
    failed = []
    for words in commands:
        code, text = asker.ask(("systemctl", *words), _SYSTEMCTL_LIMIT_S)
        if code != 0:
            failed.append(f"systemctl {' '.join(words)}: {text.strip() or 'did not end in time'}")
    return failed


def _bring(path: Path, text: str) -> str:
    if path.exists() and path.read_text() == text:
        return f"unchanged {path}"
    path.parent.mkdir(parents=True, exist_ok=True)
    write_whole(path, text.encode(), 0o644)
    return f"written   {path}"
