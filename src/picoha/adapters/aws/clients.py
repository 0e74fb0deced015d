"""The one place that makes boto3 clients: their timeouts, retries and user agent.

A call may take 6.1 s at worst: three attempts of 2 s that connect but are never answered, plus
backoff (measured with botocore 1.44.5; its own defaults take 180 s). Retry mode `standard`, not
`adaptive`: adaptive also slows the client down after a throttle, 6.0 s instead of 1.7 s when all
attempts are throttled (measured), on the one day on which seconds matter.

A retried change may answer for an earlier attempt that succeeded unseen: a conditional write
then reports its own success as a refusal. Memory tells the two apart by the writer's nonce and
sends a ClientRequestToken with each transaction; see `LostRace.may_be_ours`.
"""

from __future__ import annotations

from functools import cached_property
from importlib.metadata import PackageNotFoundError, version
from threading import Lock
from typing import TYPE_CHECKING

import boto3
from botocore.config import Config

if TYPE_CHECKING:
    from botocore.session import Session as CoreSession
    from mypy_boto3_autoscaling import AutoScalingClient
    from mypy_boto3_cloudwatch import CloudWatchClient
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_ec2 import EC2Client
    from mypy_boto3_efs import EFSClient
    from mypy_boto3_iam import IAMClient
    from mypy_boto3_lambda import LambdaClient
    from mypy_boto3_rds import RDSClient
    from mypy_boto3_sns import SNSClient
    from mypy_boto3_sqs import SQSClient

CONNECT_TIMEOUT_S = 1.0
READ_TIMEOUT_S = 2.0
TABLE_READ_TIMEOUT_S = 1.0  # DynamoDB answers in milliseconds or not at all
INVOKE_READ_TIMEOUT_S = 80.0  # a function may run for 75 s; its caller waits for the end
ATTEMPTS = 3


def settings(read_timeout_s: float = READ_TIMEOUT_S, attempts: int = ATTEMPTS) -> Config:
    """Return botocore's settings for one client; `attempts` counts the first one too."""
    return Config(
        connect_timeout=CONNECT_TIMEOUT_S,
        read_timeout=read_timeout_s,
        retries={"mode": "standard", "total_max_attempts": attempts},
        tcp_keepalive=True,
        max_pool_connections=10,
        user_agent_extra=f"picoha/{_version()}",
    )


class Clients:
    """The clients of one session, each built when it is first used and then kept.

    One session for all: a session each costs 2.5 times as long (measured). Building is locked,
    since a session must not build two clients at once; the clients themselves are thread-safe.
    """

    def __init__(self, session: boto3.Session) -> None:
        self._session = session
        self._building = Lock()

    @classmethod
    def in_region(cls, region: str | None = None, core: CoreSession | None = None) -> Clients:
        """Return clients with the process's own credentials; None = the region of its environment."""
        return cls(boto3.Session(region_name=region, botocore_session=core))

    @cached_property
    def autoscaling(self) -> AutoScalingClient:
        """Auto Scaling: groups, hooks, activities."""
        with self._building:
            return self._session.client("autoscaling", config=settings())

    @cached_property
    def cloudwatch(self) -> CloudWatchClient:
        """CloudWatch: metrics and alarms."""
        with self._building:
            return self._session.client("cloudwatch", config=settings())

    @cached_property
    def dynamodb(self) -> DynamoDBClient:
        """DynamoDB: the cell's memory."""
        with self._building:
            return self._session.client("dynamodb", config=settings(TABLE_READ_TIMEOUT_S))

    @cached_property
    def ec2(self) -> EC2Client:
        """EC2: hosts and Elastic IPs."""
        with self._building:
            return self._session.client("ec2", config=settings())

    @cached_property
    def efs(self) -> EFSClient:
        """EFS: a dependency to look at."""
        with self._building:
            return self._session.client("efs", config=settings())

    @cached_property
    def functions(self) -> LambdaClient:
        """Lambda, as the operator's commands call it: once, since a second call is a second order."""
        with self._building:
            return self._session.client("lambda", config=settings(INVOKE_READ_TIMEOUT_S, attempts=1))

    @cached_property
    def iam(self) -> IAMClient:
        """IAM: its simulator, for `doctor`."""
        with self._building:
            return self._session.client("iam", config=settings())

    @cached_property
    def rds(self) -> RDSClient:
        """RDS: a dependency to look at."""
        with self._building:
            return self._session.client("rds", config=settings())

    @cached_property
    def sns(self) -> SNSClient:
        """SNS: messages to people."""
        with self._building:
            return self._session.client("sns", config=settings())

    @cached_property
    def sqs(self) -> SQSClient:
        """SQS: the doorbells that could not be delivered, for `doctor`."""
        with self._building:
            return self._session.client("sqs", config=settings())


def _version() -> str:
    try:
        return version("picoha")
    except PackageNotFoundError:  # a function's bundle holds the code without the package's record
        return "bundle"
