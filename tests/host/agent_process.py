"""The shipped agent as a process of its own, at a pace for tests: `agent_process.py CONFIG SECONDS BOOT`.

Only two things differ from `picoha-agent run`: cycles and limits may be shorter than the settings
allow, and the boot id is given, so that a test can reboot a host.
"""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path

from picoha.adapters.aws.host_side import cloud_of
from picoha.host.command import assembly, commands
from picoha.host.core.ports import Identity
from picoha.host.system import patience
from picoha.host.system.config import Config, read_config
from picoha.host.system.metadata import Metadata, identity


def main(path: str, seconds: str, boot_id: str) -> int:
    def in_this_boot(config: Config, metadata: Metadata) -> Identity:
        return replace(identity(config, metadata), boot_id=boot_id)

    setattr(assembly, "identity", in_this_boot)  # noqa: B010 - the module does not offer it for change
    patience.CALL_LIMIT_S = 0.6
    commands._PATIENCE_S = 0.2
    config = replace(read_config(Path(path)), interval_s=float(seconds), monitor_timeout_s=0.6)  # type: ignore[arg-type]  # a pace no site may set
    return commands.run_agent(assembly.HostHere(config, cloud_of))


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
