"""EventBridge in memory: the envelope around every event (AWS: EventBridge events reference)."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from picoha.fakeaws.clients import ACCOUNT, REGION, Answer


def eventbridge_event(
    source: str, detail_type: str, detail: Answer, resources: Sequence[str], *, at: datetime, event_id: str
) -> Answer:
    """Wrap `detail` in EventBridge's envelope (AWS: EventBridge events reference)."""
    return {
        "version": "0",
        "id": event_id,
        "detail-type": detail_type,
        "source": source,
        "account": ACCOUNT,
        "time": f"{at:%Y-%m-%dT%H:%M:%S}Z",
        "region": REGION,
        "resources": list(resources),
        "detail": detail,
    }
