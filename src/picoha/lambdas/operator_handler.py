"""The Lambda handler of the operator function, built around given ports (Lambda's or the drill's)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Protocol

from picoha.app.errors import MalformedEvent
from picoha.app.operator import cell as cell_verbs
from picoha.app.operator import views
from picoha.app.operator.answer import (
    UNKNOWN,
    USAGE,
    Answerer,
    Command,
    Reply,
    answer,
    follow,
    of_instance,
    of_operation,
    of_slot,
    order,
)
from picoha.app.ports import OperatorPorts
from picoha.domain.policy import Policy
from picoha.domain.record import RequestVerb
from picoha.lambdas.operator_request import SCHEMA, read_command
from picoha.lambdas.respond import Log

VERBS: Mapping[str, Answerer] = {
    "status": views.status,
    "why": views.why,
    "history": views.history,
    "show": views.show,
    "plan": views.plan,
    "report": views.report,
    "verify": views.verify,
    "doctor": views.doctor,
    "leave": views.leave,
    "follow": follow,
    "adopt": order(RequestVerb.ADOPT, of_slot),
    "switchover": order(RequestVerb.SWITCHOVER, of_slot),
    "failover": order(RequestVerb.FAILOVER, of_slot),
    "confirm-fenced": order(RequestVerb.CONFIRM_FENCED, of_instance),
    "retry": order(RequestVerb.RETRY, of_operation),
    "abort": order(RequestVerb.ABORT, of_operation),
    "mode": cell_verbs.mode,
    "pause": cell_verbs.pause,
    "resume": cell_verbs.resume,
    "release-storm": cell_verbs.release_storm,
    "close-breaker": cell_verbs.close_breaker,
}


class Context(Protocol):
    """The one thing asked of Lambda's context object: an id of its own for every call."""

    @property
    def aws_request_id(self) -> str: ...


OperatorHandler = Callable[[Any, Context], dict[str, Any]]


def build(ports: OperatorPorts, policy: Policy, log: Log) -> OperatorHandler:
    """Return the handler; it answers every request with a code, a message and data, and never raises
    for a wrong one."""

    def handler(event: Any, lambda_context: Context) -> dict[str, Any]:
        try:
            command = read_command(event, lambda_context.aws_request_id)
        except MalformedEvent as problem:
            wrong = Reply(USAGE, str(problem))
            reply = answer(Command("usage"), ports, policy, {"usage": lambda _asked: wrong})
            return _plain(ports.cell, reply)
        reply = answer(command, ports, policy, VERBS)
        asked = {"verb": command.verb, "by": command.by, "reason": command.reason, "code": reply.code}
        level = log.warning if reply.code == UNKNOWN else log.info
        level(reply.message, extra={**asked, "changed": reply.changed})
        return _plain(ports.cell, reply)

    return handler


def _plain(cell: str, reply: Reply) -> dict[str, Any]:
    return {
        "schema": SCHEMA,
        "cell": cell,
        "code": reply.code,
        "message": reply.message,
        "sentence": reply.sentence,
        "changed": reply.changed,
        "unsure": reply.unsure,
        "data": dict(reply.data),
    }
