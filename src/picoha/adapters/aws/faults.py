"""What an AWS error means to us: its kind, and whether the call may have happened all the same.

A change's outcome is known only if its first and only attempt was answered. After a retry the
answer may belong to a repetition of something that already happened, and a call without an
answer (timeout, cut connection, 5xx) may have happened as well.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any, Literal

from botocore import exceptions as sdk
from botocore.parsers import ResponseParserError

from picoha.app.errors import ActionFailed, LostRace, MemoryUnreadable, SensorFailed

Kind = Literal["throttled", "denied", "not_found", "conflict", "invalid", "unreachable", "internal"]
"""`conflict`: the world is no longer in the state assumed; `invalid`: our request is wrong."""

SDK_ERRORS = (sdk.ClientError, sdk.BotoCoreError, ResponseParserError)


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


THROTTLED = _words(  # AWS SDK reference, "Retry behavior", and DynamoDB's cancellation reasons
    "Throttling ThrottlingException ThrottledException RequestThrottledException RequestThrottled "
    "TooManyRequestsException ProvisionedThroughputExceededException RequestLimitExceeded "
    "BandwidthLimitExceeded LimitExceededException SlowDown PriorRequestNotComplete "
    "EC2ThrottledException TransactionInProgressException ThrottlingError "
    "ProvisionedThroughputExceeded"
)
_STILL_RUNNING = "TransactionInProgressException"
_DENIED = _words(
    "UnauthorizedOperation AccessDenied AccessDeniedException AuthFailure AuthorizationError "
    "UnrecognizedClientException InvalidClientTokenId InvalidSignatureException SignatureDoesNotMatch "
    "ExpiredToken ExpiredTokenException MissingAuthenticationToken OptInRequired"
)
_TABLE_CONFLICTS = frozenset(
    ("ConditionalCheckFailedException", "TransactionCanceledException", "TransactionConflictException")
)
_CONFLICTS = _TABLE_CONFLICTS | {  # AWS: EC2 error codes; Auto Scaling common errors
    "IncorrectInstanceState",
    "IncorrectState",
    "Resource.AlreadyAssociated",
    "ResourceContention",
    "ResourceInUse",
    "ScalingActivityInProgress",
}
_NOT_FOUND = re.compile(r"NotFound(Exception|Fault)?$")
_NOT_FOUND_TEXT = re.compile(r"not found|No active Lifecycle Action found")  # Auto Scaling's ValidationError
_INTERNAL = frozenset(("InternalError", "InternalFailure", "InternalServerError", "ServiceUnavailable"))

_NO_CREDENTIALS = (
    sdk.NoCredentialsError,
    sdk.PartialCredentialsError,
    sdk.CredentialRetrievalError,
    sdk.NoAuthTokenError,
    sdk.TokenRetrievalError,
    sdk.SSOError,
)
_UNANSWERED = (sdk.HTTPClientError, sdk.ConnectionError, sdk.IncompleteReadError)
_NEVER_SENT = (
    sdk.ParamValidationError,
    sdk.NoRegionError,
    sdk.NoCredentialsError,
    sdk.PartialCredentialsError,
)


@dataclass(frozen=True)
class Fault:
    """One failed call: `code` is AWS's, or the name of the SDK's error; `attempts` 0 = not told."""

    kind: Kind
    code: str
    text: str
    outcome_known: bool
    request_id: str = ""
    attempts: int = 0
    reasons: tuple[str, ...] = ()

    def sentence(self, what: str) -> str:
        """Return `what` was tried ("moving address eipalloc-1 to eni-2") and how it failed."""
        where = f" (request {self.request_id})" if self.request_id else ""
        reasons = f" [{', '.join(self.reasons)}]" if self.reasons else ""
        tried = f", attempt {self.attempts}" if self.attempts > 1 else ""
        unsure = "" if self.outcome_known else "; whether it happened is not known"
        return f"{what}: {self.code}{reasons}: {self.text}{where}{tried}{unsure}"


def classify(error: Exception) -> Fault:
    """Return what one of `SDK_ERRORS` means."""
    if isinstance(error, sdk.ClientError):
        return _of_answer(error.response)
    code = type(error).__name__
    known = isinstance(error, _NEVER_SENT)
    if isinstance(error, _UNANSWERED):
        return Fault("unreachable", code, str(error), known)
    if isinstance(error, _NO_CREDENTIALS):
        return Fault("denied", code, str(error), known)
    return Fault("invalid" if known else "internal", code, str(error), known)


@contextmanager
def reading(what: str, raising: type[SensorFailed] | type[MemoryUnreadable] = SensorFailed) -> Iterator[None]:
    """Turn the SDK's errors inside the block into `raising`; `what` is a gerund and its objects."""
    try:
        yield
    except SDK_ERRORS as error:
        # A read changes nothing, so it needs no word on whether it happened.
        raise raising(replace(classify(error), outcome_known=True).sentence(what)) from error


@contextmanager
def changing(what: str) -> Iterator[None]:
    """Turn the SDK's errors inside the block into LostRace (the table's conditions) or ActionFailed."""
    try:
        yield
    except SDK_ERRORS as error:
        fault = classify(error)
        if fault.kind == "conflict" and fault.code in _TABLE_CONFLICTS:
            raise LostRace(fault.sentence(what), not fault.outcome_known, fault.reasons) from error
        raise ActionFailed(
            fault.sentence(what), fault.code, fault.outcome_known, fault.kind, fault.request_id
        ) from error


def _of_answer(answer: Mapping[str, Any]) -> Fault:
    told, about = answer.get("Error", {}), answer.get("ResponseMetadata", {})
    code, text = str(told.get("Code", "Unknown")), str(told.get("Message", ""))
    status = int(about.get("HTTPStatusCode", 0))
    retries = int(about.get("RetryAttempts", 0))
    reasons = tuple(str(one.get("Code", "None")) for one in answer.get("CancellationReasons", ()))
    kind = _kind(code, text, status, reasons)
    answered = kind != "internal" and code != _STILL_RUNNING
    return Fault(
        kind, code, text, answered and retries == 0, str(about.get("RequestId", "")), retries + 1, reasons
    )


def _kind(code: str, text: str, status: int, reasons: tuple[str, ...]) -> Kind:
    if code == "TransactionCanceledException":
        return _kind_of_cancellation(reasons)
    for kind, says_so in _RULES:
        if says_so(code, text, status):
            return kind
    return "invalid"


def _kind_of_cancellation(reasons: tuple[str, ...]) -> Kind:
    if {"ConditionalCheckFailed", "TransactionConflict"}.intersection(reasons):
        return "conflict"
    if THROTTLED.intersection(reasons):
        return "throttled"
    return "invalid"


_RULES: tuple[tuple[Kind, Callable[[str, str, int], bool]], ...] = (  # the first that says so decides
    ("throttled", lambda code, text, status: code in THROTTLED or status == 429),
    ("conflict", lambda code, text, status: code in _CONFLICTS),
    ("internal", lambda code, text, status: status >= 500 or code in _INTERNAL),
    ("not_found", lambda code, text, status: _NOT_FOUND.search(code) is not None),
    (
        "not_found",
        lambda code, text, status: code == "ValidationError" and bool(_NOT_FOUND_TEXT.search(text)),
    ),
    ("denied", lambda code, text, status: code in _DENIED or status in (401, 403)),
)
