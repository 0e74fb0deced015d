"""What Lambda gives a played function: a context with a deadline, and metrics that nobody collects."""

from __future__ import annotations

from aws_lambda_powertools.metrics.provider.cloudwatch_emf.cloudwatch import AmazonCloudWatchEMFProvider

from picoha.drills.world import World

FUNCTION_TIMEOUT_S = 75.0


class SilentMetrics(AmazonCloudWatchEMFProvider):
    """Metrics that nobody collects: in a drill, standard output belongs to the report."""

    def add_metric(self, *_args: object, **_kwargs: object) -> None:
        """Count nothing: overlapping handlers would fill the counter, and it prints when full."""

    def flush_metrics(self, raise_on_empty_metrics: bool = False) -> None:
        """Print nothing."""


class PlayedInvocation:
    """A played Lambda context: what the handler and the logger ask of it."""

    function_name = "picoha-reconcile"
    memory_limit_in_mb = 512
    invoked_function_arn = "arn:aws:lambda:eu-west-1:123456789012:function:picoha-reconcile:live"

    def __init__(self, world: World, number: int) -> None:
        self.aws_request_id = f"drill-{number:06d}"
        self._world = world
        self._ends_at = world.scheduler.elapsed + FUNCTION_TIMEOUT_S

    def get_remaining_time_in_millis(self) -> int:
        """Return the virtual milliseconds left."""
        return int((self._ends_at - self._world.scheduler.elapsed) * 1000)
