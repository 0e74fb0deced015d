"""fakeaws' wire: real boto3 clients, answered from the world at botocore's `before-call`.

botocore still validates and serializes each request and turns error answers into its own
exceptions; nothing reaches the network. Retries, signing and HTTP itself are not exercised here.

Thousands of simulated days take the *short way* instead (`is_short`): the client's `_make_api_call`
hands a request that fits its model straight to the world, without an endpoint, a user agent or a
serialized body that nobody would read. Checks, gates, answers and exceptions are the same.
"""

from __future__ import annotations

import functools
import itertools
from collections.abc import Callable, Mapping, Sequence
from copy import deepcopy
from typing import Any, Protocol

import boto3
import botocore.session
from botocore.awsrequest import AWSResponse
from botocore.compat import HTTPHeaders
from botocore.loaders import Loader
from botocore.model import OperationModel

from picoha.fakeaws.scheduler import AwsFault
from picoha.fakeaws.shapes import Shapes

REGION = "eu-west-1"
ACCOUNT = "123456789012"

Answer = dict[str, Any]
Operation = Callable[[dict[str, Any]], Answer]
Emit = Callable[[str, str, dict[str, Any], list[str]], None]
"""Sends an EventBridge event: source, detail-type, detail, resources."""


class NotPlayed(Exception):
    """A service, operation, parameter or filter that fakeaws does not play: never a silent success."""


class WrongAnswer(Exception):
    """fakeaws built an answer that AWS could not give: a bug in memory, not of its user."""


class Service(Protocol):
    """One AWS service of the world: operation name to a bound method from API params to API answer."""

    @property
    def operations(self) -> Mapping[str, Operation]:
        """The operations played."""


class CallGate:
    """Stands around every call; this one is open. Override to record, to let time pass, to fail.

    `before` may raise `AwsFault`, a botocore transport error or a kill; then nothing has been
    done. An error raised by `after` is an answer lost on its way back: the effect stays.
    """

    def before(self, service: str, operation: str, params: dict[str, Any]) -> None:
        """Run before the service acts."""

    def after(self, service: str, operation: str, params: dict[str, Any], answer: Answer) -> None:
        """Run after the service acted; an error answer has the key `Error`."""


class _Wire:
    def __init__(self, services: Mapping[str, Service], gate: CallGate) -> None:
        self._services = services
        self._gate = gate
        self._numbers = itertools.count(1)
        self._shapes: dict[str, Shapes] = {}

    def keep_params(self, params: dict[str, Any], context: dict[str, Any], **_: Any) -> None:
        """Keep the caller's params, which botocore is about to turn into a request."""
        context["fakeaws_params"] = deepcopy(params)

    def answer(
        self, model: OperationModel, params: dict[str, Any], context: dict[str, Any], **_: Any
    ) -> tuple[AWSResponse, Answer]:
        """Answer one call; an answer given here keeps botocore away from the network."""
        status, parsed = self.ask(model, context["fakeaws_params"])
        headers = HTTPHeaders.from_dict(parsed["ResponseMetadata"]["HTTPHeaders"])
        return AWSResponse(str(params.get("url", "")), status, headers, None), parsed

    def ask(self, model: OperationModel, asked: dict[str, Any]) -> tuple[int, Answer]:
        """Let the world act on checked params; return the HTTP status and the parsed answer."""
        service = str(model.service_model.service_name)
        operation = self._find(service, model.name)
        status = 200
        try:
            self._gate.before(service, model.name, asked)
            parsed, wrong = self._of(service).answer(model, operation(asked))
            if wrong:
                raise WrongAnswer(f"{model.name}: {wrong}")
        except AwsFault as fault:
            status = fault.status
            parsed = {"Error": {"Code": fault.code, "Message": fault.message}, **fault.extra}
        request_id = f"{next(self._numbers):08x}-0000-4000-8000-000000000000"
        headers = {"x-amzn-requestid": request_id}
        sent = {"RequestId": request_id, "HTTPStatusCode": status, "HTTPHeaders": headers, "RetryAttempts": 0}
        parsed["ResponseMetadata"] = sent
        self._gate.after(service, model.name, asked, parsed)
        return status, parsed

    def regular(self, model: OperationModel, params: dict[str, Any]) -> dict[str, Any] | None:
        """Return a copy of params to which botocore would neither object nor add; else None."""
        if not params.keys() >= set(model.idempotent_members):
            return None
        return self._of(str(model.service_model.service_name)).request(model, params)

    def _of(self, service: str) -> Shapes:
        return self._shapes.setdefault(service, Shapes())

    def _find(self, service: str, operation: str) -> Operation:
        if service not in self._services:
            raise NotPlayed(f"fakeaws plays no service {service!r} (called: {operation})")
        played = self._services[service].operations
        if operation not in played:
            raise NotPlayed(f"fakeaws plays no {service}:{operation}; it plays {', '.join(sorted(played))}")
        return played[operation]


def _shortcut(wire: _Wire) -> type:
    """Return a base class that gives a client the short way; what is irregular goes the long one."""

    class Short:
        meta: Any
        exceptions: Any

        def _make_api_call(self, operation_name: str, api_params: dict[str, Any]) -> Any:
            model = self.meta.service_model.operation_model(operation_name)
            asked = wire.regular(model, api_params)
            if asked is None:
                return super()._make_api_call(operation_name, api_params)  # type: ignore[misc]  # botocore's
            status, parsed = wire.ask(model, asked)
            if status >= 300:
                raise self.exceptions.from_code(parsed["Error"]["Code"])(parsed, operation_name)
            return parsed

    return Short


def connect(
    session: boto3.session.Session | botocore.session.Session,
    services: Mapping[str, Service],
    gate: CallGate,
    is_short: bool = False,
) -> None:
    """Make every client created from `session` from now on an open line into the world.

    `services` is keyed by botocore's service name; `is_short` = by the short way (see the module).
    Raises `NotPlayed` out of a call whose service or operation is missing there.
    """
    wire = _Wire(services, gate)
    if isinstance(session, boto3.session.Session):
        events = session.events
    else:
        events = session.get_component("event_emitter")
    # Last: other handlers of the same event (idempotency tokens, resource transforms) edit params.
    events.register_last("before-parameter-build", wire.keep_params)
    answer: Callable[..., Any] = wire.answer  # the stubs know no handler that answers
    events.register_first("before-call", answer)
    if is_short:
        base = _shortcut(wire)
        events.register("creating-client-class", lambda base_classes, **_: base_classes.insert(0, base))


@functools.cache
def _models() -> Loader:
    return Loader()


def fake_session(
    services: Mapping[str, Service],
    gate: CallGate | None = None,
    region: str = REGION,
    is_short: bool = False,
) -> boto3.session.Session:
    """Return a connected session that takes nothing from the machine's own AWS configuration.

    All its sessions share the parsed service models: reading them is most of a client's cost.
    """
    core = botocore.session.Session(session_vars={"profile": (None, None, None, None)})
    core.register_component("data_loader", _models())
    core.set_config_variable("config_file", "/dev/null")
    core.set_config_variable("credentials_file", "/dev/null")
    core.set_credentials("fake", "fake")
    connect(core, services, gate or CallGate(), is_short)
    return boto3.session.Session(region_name=region, botocore_session=core)


def played(service: object) -> dict[str, Operation]:
    """Collect a service's operations: its method `_api_describe_instances` answers DescribeInstances."""
    found = [name for name in dir(service) if name.startswith("_api_")]
    return {name.removeprefix("_api_").title().replace("_", ""): getattr(service, name) for name in found}


def page(items: Sequence[Answer], params: Mapping[str, Any], key: str, size_key: str, size: int) -> Answer:
    """Return one page of `items` under `key`, with NextToken when more follow.

    `size_key` names the caller's page size parameter, `size` is the size when it is left out.
    Raises `AwsFault` InvalidNextToken for a token fakeaws did not give.
    """
    token = str(params.get("NextToken") or "page-0")
    if not token.removeprefix("page-").isdigit():
        raise AwsFault("InvalidNextToken", f"The token '{token}' is invalid")
    first = int(token.removeprefix("page-"))
    end = first + int(params.get(size_key, size))
    return {key: list(items[first:end])} | ({"NextToken": f"page-{end}"} if end < len(items) else {})


def matches(params: Mapping[str, Any], tags: Mapping[str, str], own: Mapping[str, str | None]) -> bool:
    """Tell whether a resource with `tags` and `own` values passes every filter in a call's params.

    Values of one filter are alternatives. Raises `NotPlayed` for a wildcard, and for a filter
    name that is neither `tag-key`, `tag:<key>` nor in `own`.
    """
    own = {f"tag:{key}": value for key, value in tags.items()} | dict(own)
    for one in params.get("Filters", []):
        name, wanted = one["Name"], one["Values"]
        if any(mark in value for value in wanted for mark in "*?"):
            raise NotPlayed(f"fakeaws plays no wildcard in filter {name!r}")
        if name not in own and name != "tag-key" and not name.startswith("tag:"):
            raise NotPlayed(f"fakeaws plays no filter {name!r}")
        have = set(tags) if name == "tag-key" else {own.get(name)}
        if not have & set(wanted):
            return False
    return True


def tag_list(tags: Mapping[str, str]) -> list[dict[str, str]]:
    """Return tags as EC2 lists them."""
    return [{"Key": key, "Value": value} for key, value in sorted(tags.items())]
