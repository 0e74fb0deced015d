"""AWS on the loopback interface: moto behind one lock, and an instance metadata service.

Without the lock moto loses the atomicity of conditional writes (emulators.md 1.7).
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Literal

import boto3
from botocore.awsrequest import AWSPreparedRequest
from botocore.compat import HTTPHeaders
from moto.backends import get_backend
from moto.core.botocore_stubber import BotocoreStubber

from picoha.adapters.aws import items
from picoha.domain.model import Report
from picoha.domain.record import SlotRecord

REGION, ACCOUNT = "eu-west-1", "123456789012"
TOKEN = "stand-in-token"
LIFETIME, GIVEN = "X-aws-ec2-metadata-token-ttl-seconds", "X-aws-ec2-metadata-token"


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing: a test's output is the test's."""

    def answer(self, status: int, body: bytes, headers: Mapping[str, str] | None = None) -> None:
        self.send_response(status)
        for name, value in (headers or {}).items():
            if name.lower() not in ("content-length", "connection", "date", "server"):
                self.send_header(name, str(value))
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


class Server(ThreadingHTTPServer):
    """A server on a free port of 127.0.0.1."""

    daemon_threads = True

    def __init__(self, handler: type[_Handler]) -> None:
        super().__init__(("127.0.0.1", 0), handler)
        self.url = f"http://127.0.0.1:{self.server_port}"

    def handle_error(self, request: object, client_address: object) -> None:
        """A client that went away is no news: agents are killed here."""

    @contextmanager
    def serving(self) -> Iterator[None]:
        thread = threading.Thread(target=self.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
        thread.start()
        try:
            yield
        finally:
            self.shutdown()
            self.server_close()
            thread.join()


class Aws(Server):
    """DynamoDB and CloudWatch for one cell. `gone` names services that hang up; `silent` ones that hang."""

    def __init__(self, cell: str) -> None:
        super().__init__(_AwsHandler)
        self.lock = threading.Lock()
        self.stub = BotocoreStubber()
        self.gone: set[str] = set()
        self.silent: set[str] = set()
        self.calls: list[str] = []
        self.name = items.table_name(cell)
        self.table = boto3.client(
            "dynamodb",
            REGION,
            endpoint_url=self.url,
            aws_access_key_id="test",
            aws_secret_access_key="test",  # moto asks for one
        )

    def open(self) -> None:
        """Begin with an empty table and no datapoint."""
        with self.lock:
            self._backend("dynamodb").reset()
            self._backend("cloudwatch").reset()
        keys = {"pk": "HASH", "sk": "RANGE"}
        self.table.create_table(
            TableName=self.name,
            BillingMode="PAY_PER_REQUEST",
            AttributeDefinitions=[{"AttributeName": key, "AttributeType": "S"} for key in keys],
            KeySchema=[{"AttributeName": one, "KeyType": kind} for one, kind in keys.items()],  # type: ignore[typeddict-item]  # the two words above
        )

    def write(self, record: SlotRecord) -> None:
        """Write a slot's record as the controller does."""
        self.put(items.slot_item(record, "controller"))

    def put(self, item: Mapping[str, Any]) -> None:
        self.table.put_item(TableName=self.name, Item=dict(item))

    def row(self, slot: str, instance: str) -> Report | None:
        """Return what a host last wrote about itself, also while the service is gone for others."""
        key = items.key(items.HOSTS, items.report_sk(slot, instance))
        with self.lock:
            found = self._backend("dynamodb").get_item(self.name, key)
            if found is None:
                return None
            stored = {name: value.to_regular_json() for name, value in found.attrs.items()}
        return items.report_of(stored)

    def published(self) -> list[float]:
        """Return every datapoint of `Healthy`, in order of arrival."""
        with self.lock:
            return [one.value for one in self._backend("cloudwatch").metric_data]

    def _backend(self, service: Literal["dynamodb", "cloudwatch"]) -> Any:
        return get_backend(service)[ACCOUNT][REGION]

    def answer_to(self, request: AWSPreparedRequest) -> tuple[int, Mapping[str, str], bytes]:
        with self.lock:
            found = self.stub.process_request(request)
        assert found is not None, request.url
        status, headers, body = found
        return int(status), headers, body.encode() if isinstance(body, str) else body


class _AwsHandler(_Handler):
    server: Aws

    def do_POST(self) -> None:
        length = int(self.headers.get("Content-Length", 0))
        body = self.rfile.read(length)
        headers = HTTPHeaders()
        for name, value in self.headers.items():
            headers[name] = value
        service = self.headers.get("Authorization", "").split("/")[3].replace("monitoring", "cloudwatch")
        self.server.calls.append(service)
        while service in self.server.silent:
            time.sleep(0.05)
        if service in self.server.gone:
            self.close_connection = True
            return
        name = "monitoring" if service == "cloudwatch" else service
        url = f"https://{name}.{REGION}.amazonaws.com{self.path}"
        self.answer(*_reordered(self.server.answer_to(AWSPreparedRequest("POST", url, headers, body, False))))


def _reordered(found: tuple[int, Mapping[str, str], bytes]) -> tuple[int, bytes, Mapping[str, str]]:
    return found[0], found[2], found[1]


class Imds(Server):
    """The instance metadata service, version 2 only. `values` are paths below `meta-data/`."""

    def __init__(self, **values: str) -> None:
        super().__init__(_ImdsHandler)
        self.values: dict[str, str] = {
            "instance-id": "i-1",
            "local-ipv4": "127.0.0.1",
            "placement/availability-zone": f"{REGION}a",
            "placement/region": REGION,
            "tags/instance/picoha:cell": "demo",
            "tags/instance/picoha:slot": "ec1",
            **values,
        }


class _ImdsHandler(_Handler):
    server: Imds

    def do_PUT(self) -> None:
        is_asked = self.path == "/latest/api/token" and self.headers.get(LIFETIME, "").isdigit()
        self.answer(200, TOKEN.encode()) if is_asked else self.answer(400, b"")

    def do_GET(self) -> None:
        if self.headers.get(GIVEN) != TOKEN:
            self.answer(401, b"")
            return
        value = self.server.values.get(self.path.removeprefix("/latest/meta-data/"))
        self.answer(404, b"") if value is None else self.answer(200, value.encode())
