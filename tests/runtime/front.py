"""AWS on the loopback interface, answered by a drill's cell that lives in real time.

Each request arrives as a real client sends it, is asked of the drill by another client, and is answered in
AWS's wire format; moto's parsers and serializers know the three protocols that are spoken here.
"""

from __future__ import annotations

import json
import threading
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl
from xml.sax.saxutils import escape

from botocore import xform_name
from botocore.exceptions import ClientError
from botocore.utils import parse_timestamp
from moto.core.parse import PROTOCOL_PARSERS
from moto.core.request import determine_request_protocol
from moto.core.serialize import get_serializer_class
from moto.core.utils import get_service_model
from werkzeug.datastructures import MultiDict

from picoha.drills.drill import Drill
from picoha.drills.setup import SETTLE_S
from picoha.drills.story import Story

SERVICES = {"monitoring": "cloudwatch", "elasticfilesystem": "efs"}
"""botocore's name of a service, where it is not the name that requests are signed with."""
Asked = tuple[str, str, dict[str, Any]]
"""Service, operation, params."""


class LiveCell:
    """A settled drill's cell whose time is the machine's: what rings is kept, and nobody answers it."""

    def __init__(self, story: Story) -> None:
        self.drill = Drill(story)
        self.world = self.drill.world
        self.lock = threading.Lock()
        self.rung: list[Any] = []
        scheduler = self.world.scheduler
        scheduler.start = datetime.now(UTC) - timedelta(seconds=SETTLE_S + 60)
        self.drill.setup.prepare()
        self.world.ring = self.rung.append

    def catch_up(self) -> None:
        """Let the world's time pass until it is now."""
        scheduler = self.world.scheduler
        behind_s = (datetime.now(UTC) - scheduler.now).total_seconds()
        if behind_s > 0:
            scheduler.run_for(behind_s)

    def ask(self, asked: Asked) -> dict[str, Any]:
        """Make one call now; raises ClientError."""
        service, operation, params = asked
        with self.lock:
            self.catch_up()
            client = getattr(self.world.controller, service)
            answer: dict[str, Any] = getattr(client, xform_name(operation))(**params)
        return answer

    def close(self) -> None:
        """End what still sleeps."""
        self.world.scheduler.close()


class Front(ThreadingHTTPServer):
    """AWS's front door for one cell. `silent` decides whose answers are lost once the world has acted.

    `spoil` may change an answer before it leaves, by operation.
    """

    daemon_threads = True

    def __init__(self, cell: LiveCell) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.url = f"http://127.0.0.1:{self.server_port}"
        self.cell = cell
        self.calls: Counter[str] = Counter()
        self.silent: Callable[[str], bool] = lambda _operation: False
        self.spoil: dict[str, Callable[[dict[str, Any]], None]] = {}
        self.heard = threading.Event()

    def handle_error(self, request: object, client_address: object) -> None:
        """A client that was killed is no news here."""

    @contextmanager
    def serving(self) -> Iterator[None]:
        """Answer while the block runs."""
        thread = threading.Thread(target=self.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
        thread.start()
        try:
            yield
        finally:
            self.heard.set()
            self.shutdown()
            self.server_close()
            thread.join()
            self.cell.close()

    def answer(self, asked: Asked) -> tuple[int, Mapping[str, str], bytes] | None:
        """Return status, headers and body; None for an answer that is lost."""
        service, operation, _ = asked
        self.calls[operation] += 1
        try:
            plain = self.cell.ask(asked)
            plain.pop("ResponseMetadata", None)
            if operation in self.spoil:
                self.spoil[operation](plain)
            status, body = 200, written(service, operation, plain, protocol_of(service))
        except ClientError as error:
            status = error.response["ResponseMetadata"]["HTTPStatusCode"]
            body = _error(service, dict(error.response))
        if self.silent(operation):
            return None
        number = f"{sum(self.calls.values()):08x}-0000-4000-8000-000000000000"
        kind = "application/x-amz-json-1.0" if protocol_of(service) == "json" else "text/xml"
        return status, {"x-amzn-RequestId": number, "Content-Type": kind}, body


class _Handler(BaseHTTPRequestHandler):
    server: Front
    protocol_version = "HTTP/1.1"

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing: a test's output is the test's."""

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        signed = self.headers.get("Authorization", "").split("/")[3]
        found = self.server.answer(read(SERVICES.get(signed, signed), self.path, dict(self.headers), body))
        if found is None:
            self.server.heard.wait()
            self.close_connection = True
            return
        status, headers, text = found
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)


# The wire.


def read(service: str, path: str, headers: Mapping[str, str], body: bytes) -> Asked:
    """Return what a request asks for; raises KeyError for a protocol that is not spoken here."""
    model, given = get_service_model(service), {name.lower(): value for name, value in headers.items()}
    form = MultiDict(parse_qsl(body.decode())) if not body.startswith(b"{") else MultiDict()
    operation = form.get("Action") or given["x-amz-target"].rpartition(".")[2]
    protocol = determine_request_protocol(model, given["content-type"])
    parser = PROTOCOL_PARSERS[protocol](model.operation_model(operation), timestamp_parser=parse_timestamp)
    request: Any = {"method": "POST", "values": form, "headers": headers, "body": body, "url_path": path}
    return service, operation, parser.parse(request | {"url_params": {}})


def protocol_of(service: str) -> str:
    """Return the protocol in which a service is answered."""
    return {"ec2": "ec2", "cloudwatch": "json", "dynamodb": "json"}.get(service, "query")


def written(service: str, operation: str, plain: dict[str, Any], protocol: str) -> bytes:
    """Return the body of an answer."""
    model = get_service_model(service)
    body = get_serializer_class(service, protocol)(model.operation_model(operation)).serialize(plain)["body"]
    return body.encode() if isinstance(body, str) else body


def _error(service: str, response: dict[str, Any]) -> bytes:
    code, message = response["Error"]["Code"], response["Error"]["Message"]
    if protocol_of(service) == "json":
        more = {name: one for name, one in response.items() if name not in ("Error", "ResponseMetadata")}
        return json.dumps({"__type": f"com.amazonaws#{code}", "message": message, **more}).encode()
    told = f"<Code>{escape(code)}</Code><Message>{escape(message)}</Message>"
    if service == "ec2":
        return f"<Response><Errors><Error>{told}</Error></Errors><RequestID>r</RequestID></Response>".encode()
    return f"<ErrorResponse><Error>{told}</Error><RequestId>r</RequestId></ErrorResponse>".encode()
