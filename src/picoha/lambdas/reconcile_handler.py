"""The Lambda handler of the reconcile function, built around given ports (Lambda's or the drill's)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from aws_lambda_powertools import Logger, Metrics
from aws_lambda_powertools.metrics import MetricUnit
from aws_lambda_powertools.utilities.typing import LambdaContext

from picoha.app.drive import drive
from picoha.app.ports import Ports
from picoha.lambdas.doorbells import Cause
from picoha.lambdas.respond import Reply, Wiring, respond
from picoha.settings import Settings

POLLING = frozenset({Cause.ALARM, Cause.TICK, Cause.OPERATOR})
"""Doorbells whose handler waits for effects; the others look once and go on only with progress."""

Handler = Callable[[Any, LambdaContext], Reply]


def build(settings: Settings, ports: Ports, log: Logger, metrics: Metrics) -> Handler:
    """Return the handler: it looks at the whole cell, whatever rang, and says what was seen and done."""
    metrics.set_default_dimensions(Cell=settings.cell)
    wiring = Wiring(
        drive=lambda cause, budget_s: drive(
            ports, settings.policy, budget_s, polls=cause in POLLING
        ).to_reply(),
        drive_s=settings.drive_s,
        log=log,
        count=lambda name: metrics.add_metric(name, MetricUnit.Count, 1),
    )

    @log.inject_lambda_context(clear_state=True)
    @metrics.log_metrics
    def handler(event: Any, lambda_context: LambdaContext) -> Reply:
        return respond(event, lambda_context, wiring)

    built: Handler = handler
    return built
