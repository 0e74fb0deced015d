"""Who this host is, from the instance metadata service (AWS: Use the IMDS; version 2, by token)."""

from __future__ import annotations

import http.client
from collections.abc import Callable
from pathlib import Path
from urllib.parse import urlsplit

from picoha.domain.model import InstanceId, SlotName
from picoha.host.core.ports import Identity
from picoha.host.system.config import Config, ConfigInvalid, config_of

BOOT_ID = Path("/proc/sys/kernel/random/boot_id")
TIMEOUT_S = 2.0
_TOKEN_S = "300"
_NO_TAGS = "allow tags in instance metadata in the launch template, or set it in agent.toml"


class MetadataUnavailable(Exception):
    """The metadata service did not tell something that the agent cannot do without."""


class Metadata:
    """One look at the metadata service."""

    def __init__(self, url: str, timeout_s: float = TIMEOUT_S) -> None:
        self._url = url
        self._timeout_s = timeout_s
        self._token = ""

    def get(self, path: str) -> str | None:
        """Return one value, or None where the service has none; raises MetadataUnavailable."""
        if not self._token:
            headers = {"X-aws-ec2-metadata-token-ttl-seconds": _TOKEN_S}
            self._token = self._ask("PUT", "/latest/api/token", headers) or ""
        return self._ask("GET", f"/latest/meta-data/{path}", {"X-aws-ec2-metadata-token": self._token})

    def need(self, path: str) -> str:
        """Return one value; raises MetadataUnavailable where the service has none."""
        value = self.get(path)
        if not value:
            raise MetadataUnavailable(f"the metadata service at {self._url} has no {path}")
        return value

    def _ask(self, method: str, path: str, headers: dict[str, str]) -> str | None:
        parts = urlsplit(self._url)
        link = http.client.HTTPConnection(parts.hostname or "", parts.port or 80, timeout=self._timeout_s)
        try:
            link.request(method, path, headers=headers)
            answer = link.getresponse()
            text = answer.read(4096).decode("utf-8", "replace").strip()
        except (OSError, http.client.HTTPException) as problem:
            raise MetadataUnavailable(
                f"the metadata service at {self._url} does not answer: {problem}"
            ) from problem
        finally:
            link.close()
        if answer.status == 404:
            return None
        if answer.status != 200:
            raise MetadataUnavailable(f"the metadata service answers {path} with {answer.status}")
        return text


def identity(config: Config, metadata: Metadata, boot_id: Path = BOOT_ID) -> Identity:
    """Return who this host is; raises MetadataUnavailable, or ConfigInvalid for a tag that breaks a rule."""
    me = Identity(
        cell=config.cell or _tag(metadata.get, "cell"),
        slot=SlotName(config.slot or _tag(metadata.get, "slot")),
        instance=InstanceId(metadata.need("instance-id")),
        boot_id=boot_id.read_text().strip(),
        zone=metadata.need("placement/availability-zone"),
        private_ip=metadata.need("local-ipv4"),
    )
    own = config.monitor_host
    if own and own != me.private_ip and not own.startswith("127."):
        raise ConfigInvalid(f"monitor_host = {own} must be an address of this host, such as {me.private_ip}")
    return me


def _tag(get: Callable[[str], str | None], key: str) -> str:
    value = get(f"tags/instance/picoha:{key}")
    if not value:
        raise MetadataUnavailable(f"this instance shows no tag picoha:{key}: {_NO_TAGS}")
    return str(getattr(config_of({key: value}, "the tag picoha"), key))
