"""Calls the operator function of a cell: all that a command needs of AWS (lambda:InvokeFunction)."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from picoha.adapters.aws.clients import Clients
from picoha.adapters.aws.faults import SDK_ERRORS, classify
from picoha.app.errors import OperatorUnreachable

GRANTS: dict[str, frozenset[str]] = {"AskOperator": frozenset({"lambda:InvokeFunction"})}
HINTS = {
    "denied": "your credentials need lambda:InvokeFunction on it",
    "not_found": "no such function here: is the cell's stack deployed in this account and region?",
    "throttled": "it is busy or throttled; try again in a few seconds",
    "unreachable": "AWS did not answer; check the network and the region",
}
"""What to do about each kind of failed call (kinds: picoha.adapters.aws.faults)."""


class OperatorClient:
    """The operator function by name; one attempt a call, since a second call is a second order."""

    def __init__(self, function: str, clients: Clients) -> None:
        self.function = function
        self._clients = clients

    @classmethod
    def in_region(cls, function: str, region: str | None = None) -> OperatorClient:
        """Return the client with the caller's own credentials; raises OperatorUnreachable."""
        try:
            return cls(function, Clients.in_region(region))
        except SDK_ERRORS as error:  # a profile that does not exist, a broken configuration
            raise OperatorUnreachable(str(error)) from error

    def send(self, request: Mapping[str, Any]) -> dict[str, Any]:
        """Return the function's reply; raises OperatorUnreachable, which says whether it may have run."""
        what = f"asking {self.function}"
        try:
            answer = self._clients.functions.invoke(
                FunctionName=self.function, Payload=json.dumps(dict(request)).encode()
            )
            payload = answer["Payload"].read()
        except SDK_ERRORS as error:
            fault = classify(error)
            hint = HINTS.get(fault.kind, "")
            raise OperatorUnreachable(
                f"{fault.sentence(what)}{'; ' if hint else ''}{hint}", fault.outcome_known
            ) from error
        return _reply(what, payload, str(answer.get("FunctionError", "")))


def _reply(what: str, payload: bytes, function_error: str) -> dict[str, Any]:
    try:
        plain = json.loads(payload)
    except ValueError:
        plain = payload[:200].decode(errors="replace")
    if function_error:
        told = plain.get("errorMessage", "") if isinstance(plain, dict) else plain
        kind = plain.get("errorType", function_error) if isinstance(plain, dict) else function_error
        text = f"{what}: the function itself failed: {kind}: {told}; its log says more"
        raise OperatorUnreachable(text, outcome_known=False)
    if not isinstance(plain, dict) or plain.get("schema") != 1:
        raise OperatorUnreachable(
            f"{what}: its answer is not understood; is it another version?", outcome_known=False
        )
    return plain
