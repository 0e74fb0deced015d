"""What each AWS error means: its kind, whether the outcome is known, and the error of ours it becomes."""

from __future__ import annotations

from typing import Any

import pytest
from botocore import exceptions as sdk
from botocore.parsers import ResponseParserError
from botocore.retries.standard import ThrottledRetryableChecker

from picoha.adapters.aws.faults import THROTTLED, changing, classify, reading
from picoha.app.errors import ActionFailed, LostRace, MemoryUnreadable, SensorFailed


def answer(code: str, status: int = 400, text: str = "no", retries: int = 0, **more: Any) -> sdk.ClientError:
    about = {"RequestId": "req-1", "HTTPStatusCode": status, "RetryAttempts": retries}
    response: Any = {"Error": {"Code": code, "Message": text}, "ResponseMetadata": about, **more}
    return sdk.ClientError(response, "Operation")


def cancelled(*codes: str) -> sdk.ClientError:
    return answer("TransactionCanceledException", CancellationReasons=[{"Code": code} for code in codes])


@pytest.mark.parametrize(
    ("error", "kind", "outcome_known"),
    [
        (answer("RequestLimitExceeded", 503), "throttled", True),  # EC2 throttles with a 503
        (answer("Throttling"), "throttled", True),
        (answer("Whatever", 429), "throttled", True),
        (answer("TransactionInProgressException"), "throttled", False),  # our own, still running
        (answer("UnauthorizedOperation", 403), "denied", True),
        (answer("AccessDeniedException"), "denied", True),
        (answer("SomethingNew", 403), "denied", True),
        (answer("InvalidInstanceID.NotFound"), "not_found", True),
        (answer("ResourceNotFoundException"), "not_found", True),
        (answer("FileSystemNotFound", 404), "not_found", True),
        (answer("DBInstanceNotFoundFault", 404), "not_found", True),
        (answer("ValidationError", text="Instance Id not found - i-1"), "not_found", True),
        (
            answer("ValidationError", text="No active Lifecycle Action found"),
            "not_found",
            True,
        ),
        (answer("ValidationError", text="1 validation error detected"), "invalid", True),
        (answer("InvalidInstanceID.Malformed"), "invalid", True),
        (answer("Resource.AlreadyAssociated"), "conflict", True),
        (answer("IncorrectInstanceState"), "conflict", True),
        (answer("ScalingActivityInProgress"), "conflict", True),
        (answer("ConditionalCheckFailedException"), "conflict", True),
        (cancelled("None", "ConditionalCheckFailed"), "conflict", True),
        (cancelled("TransactionConflict"), "conflict", True),
        (cancelled("ThrottlingError", "None"), "throttled", True),
        (cancelled("ValidationError"), "invalid", True),
        (answer("IdempotentParameterMismatchException"), "invalid", True),
        (answer("InternalError", 500), "internal", False),
        (answer("ServiceUnavailable", 503), "internal", False),
        (answer("502", 502), "internal", False),
        (sdk.ReadTimeoutError(endpoint_url="https://x"), "unreachable", False),
        (sdk.ConnectTimeoutError(endpoint_url="https://x"), "unreachable", False),
        (sdk.EndpointConnectionError(endpoint_url="https://x"), "unreachable", False),
        (sdk.ConnectionClosedError(endpoint_url="https://x"), "unreachable", False),
        (sdk.SSLError(endpoint_url="https://x", error=OSError("bad")), "unreachable", False),
        (sdk.NoCredentialsError(), "denied", True),
        (sdk.CredentialRetrievalError(provider="iam-role", error_msg="gone"), "denied", False),
        (sdk.ParamValidationError(report="missing"), "invalid", True),
        (ResponseParserError("not XML"), "internal", False),
    ],
    ids=lambda one: str(one)[:60],
)
def test_an_error_is_of_one_kind(error: Exception, kind: str, outcome_known: bool) -> None:
    fault = classify(error)
    assert (fault.kind, fault.outcome_known) == (kind, outcome_known)


@pytest.mark.parametrize("code", ["ConditionalCheckFailedException", "Throttling", "InvalidAddress.NotFound"])
def test_after_a_retry_no_refusal_tells_whether_an_earlier_attempt_happened(code: str) -> None:
    assert classify(answer(code)).outcome_known
    assert not classify(answer(code, retries=1)).outcome_known


def test_every_code_the_sdk_retries_as_throttling_is_throttling_to_us() -> None:
    assert set(vars(ThrottledRetryableChecker)["_THROTTLED_ERROR_CODES"]) <= THROTTLED


def test_a_failed_read_says_what_was_read_and_how_it_failed() -> None:
    with pytest.raises(SensorFailed) as failed, reading("listing the groups of cell demo"):
        raise answer("RequestLimitExceeded", 503, "slow down", retries=2)
    assert str(failed.value) == failed.value.reason
    assert failed.value.reason.startswith("listing the groups of cell demo: RequestLimitExceeded: slow down")
    assert "(request req-1), attempt 3" in failed.value.reason
    assert isinstance(failed.value.__cause__, sdk.ClientError)


def test_a_failed_read_of_the_table_is_memory_unreadable() -> None:
    with (
        pytest.raises(MemoryUnreadable, match="reading the cell: ReadTimeoutError"),
        reading("reading the cell", MemoryUnreadable),
    ):
        raise sdk.ReadTimeoutError(endpoint_url="https://dynamodb")


def test_a_refused_change_carries_code_kind_and_request() -> None:
    with pytest.raises(ActionFailed) as failed, changing("moving address eipalloc-1 to eni-2"):
        raise answer("Resource.AlreadyAssociated", text="in use")
    error = failed.value
    assert (
        str(error) == "moving address eipalloc-1 to eni-2: Resource.AlreadyAssociated: in use (request req-1)"
    )
    assert (error.code, error.kind, error.request_id) == ("Resource.AlreadyAssociated", "conflict", "req-1")
    assert error.outcome_known


def test_a_change_without_an_answer_may_have_happened_and_says_so() -> None:
    with (
        pytest.raises(ActionFailed, match="whether it happened is not known") as failed,
        changing("terminating i-1"),
    ):
        raise sdk.ReadTimeoutError(endpoint_url="https://ec2")
    assert (failed.value.code, failed.value.outcome_known) == ("ReadTimeoutError", False)


def test_a_lost_condition_is_a_lost_race_with_its_reasons() -> None:
    with pytest.raises(LostRace) as lost, changing("admitting operation ec1-4-1"):
        raise cancelled("None", "ConditionalCheckFailed")
    assert lost.value.reasons == ("None", "ConditionalCheckFailed")
    assert not lost.value.may_be_ours
    assert "[None, ConditionalCheckFailed]" in str(lost.value)


def test_a_condition_lost_on_a_repetition_may_have_been_lost_to_ourselves() -> None:
    with pytest.raises(LostRace) as lost, changing("saving slot ec1"):
        raise answer("ConditionalCheckFailedException", retries=1)
    assert lost.value.may_be_ours


def test_errors_that_are_not_the_sdks_pass_untouched() -> None:
    with pytest.raises(KeyError), changing("saving slot ec1"):
        raise KeyError("a bug of ours")
    with pytest.raises(KeyError), reading("reading the cell"):
        raise KeyError("a bug of ours")
