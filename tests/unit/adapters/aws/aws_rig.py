"""What the tests of the AWS adapters share: fakeaws' services behind real clients, and a gate."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any

from picoha.adapters.aws.clients import Clients
from picoha.adapters.aws.sensors import AwsSensors
from picoha.drills.clock import DrillClock
from picoha.fakeaws.autoscaling.api import AutoScaling
from picoha.fakeaws.autoscaling.group import Group
from picoha.fakeaws.clients import Answer, CallGate, Operation, Service, fake_session
from picoha.fakeaws.cloudwatch.alarms import Alarms
from picoha.fakeaws.cloudwatch.metrics import MetricStore
from picoha.fakeaws.ec2.addresses import ElasticAddresses
from picoha.fakeaws.ec2.api import Ec2
from picoha.fakeaws.ec2.instances import Instance
from picoha.fakeaws.rds_and_efs import Databases, FileSystems
from picoha.fakeaws.scheduler import AwsFault, Scheduler


class Recorder(CallGate):
    """Keeps every call; refuses those of an operation in `refused` with its error."""

    def __init__(self) -> None:
        self.calls: list[tuple[str, dict[str, Any]]] = []
        self.refused: dict[str, BaseException] = {}
        self.lost: dict[str, BaseException] = {}

    def before(self, service: str, operation: str, params: dict[str, Any]) -> None:
        self.calls.append((operation, params))
        if operation in self.refused:
            raise self.refused[operation]

    def after(self, service: str, operation: str, params: dict[str, Any], answer: Answer) -> None:
        if operation in self.lost:
            raise self.lost[operation]

    def params(self, operation: str) -> list[dict[str, Any]]:
        """Return the parameters of every call of one operation."""
        return [params for name, params in self.calls if name == operation]


class Played:
    """A service that answers one operation with a given answer."""

    def __init__(self, **answers: Answer) -> None:
        self.operations: Mapping[str, Operation] = {
            name: partial(_answer, answer) for name, answer in answers.items()
        }


def _answer(answer: Answer, _params: dict[str, Any]) -> Answer:
    return answer


class Joined:
    """Two services in memory that are one service of AWS."""

    def __init__(self, *parts: Service) -> None:
        self.operations = {name: play for part in parts for name, play in part.operations.items()}


def denied(operation: str) -> AwsFault:
    """Return the refusal of a call that IAM does not grant."""
    return AwsFault("UnauthorizedOperation", f"You are not authorized to perform {operation}.", 403)


class Account:
    """One account's services for the cell `demo`, and the shipped sensors looking at it."""

    def __init__(self) -> None:
        self.scheduler = Scheduler()
        self.ec2 = Ec2(self.scheduler)
        self.addresses = ElasticAddresses(self.ec2)
        self.scaling = AutoScaling(self.scheduler, self.ec2)
        self.metrics = MetricStore(self.scheduler)
        self.alarms = Alarms(
            self.scheduler,
            self.metrics,
            invoke=lambda *_: None,
            publish=lambda _request: {},
            emit=lambda *_: None,
        )
        self.databases, self.file_systems = Databases(), FileSystems(self.scheduler)
        self.gate = Recorder()
        self.services: dict[str, Service] = {
            "ec2": self.ec2,
            "autoscaling": self.scaling,
            "cloudwatch": Joined(self.metrics, self.alarms),
            "rds": self.databases,
            "efs": self.file_systems,
        }
        self.clients = Clients(fake_session(self.services, self.gate))
        self.sensors = AwsSensors("demo", self.clients, DrillClock(self.scheduler))

    def group(self, slot: str, cell: str = "demo", **settings: Any) -> Group:
        """Create a slot's group; its launch begins at once."""
        tags = {
            "picoha:cell": cell,
            "picoha:slot": slot,
            "picoha:kind": "execution",
            "picoha:hostname": f"{slot}host",
            "picoha:picos": "ec1:7101:ec",
        }
        given = {"name": f"{cell}-{slot}", "tags": tags} | settings
        return self.scaling.add(Group(**given))

    def host(self, slot: str | None = "ec1", cell: str = "demo") -> Instance:
        """Start an instance outside any group; None = without a slot tag."""
        tags = {"picoha:cell": cell} | ({"picoha:slot": slot} if slot else {})
        return self.ec2.launch(tags=tags)

    def put(self, metric: str, value: float, **dimensions: str) -> None:
        """Publish one high-resolution datapoint now."""
        self.clients.cloudwatch.put_metric_data(
            Namespace="picoha",
            MetricData=[
                {
                    "MetricName": metric,
                    "Dimensions": [{"Name": key, "Value": one} for key, one in dimensions.items()],
                    "Timestamp": self.scheduler.now,
                    "Value": value,
                    "StorageResolution": 1,
                }
            ],
        )


def seeing(service: str, **answers: Answer) -> AwsSensors:
    """Return sensors whose one service gives these answers."""
    session = fake_session({service: Played(**answers)})
    return AwsSensors("demo", Clients(session), DrillClock(Scheduler()))
