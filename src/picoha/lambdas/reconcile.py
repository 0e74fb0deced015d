"""The Lambda function behind every doorbell; a wrong configuration ends it at import, not in a failover."""

from __future__ import annotations

import os

from aws_lambda_powertools import Logger, Metrics
from aws_lambda_powertools.logging import utils

from picoha import bootstrap
from picoha.lambdas.reconcile_handler import build
from picoha.settings import Settings

SETTINGS = Settings.load(os.environ)
LOG = Logger(service="picoha", cell=SETTINGS.cell)
utils.copy_config_to_registered_loggers(source_logger=LOG, include={"picoha"})

handler = build(SETTINGS, bootstrap.reconciler(SETTINGS), LOG, Metrics(namespace="picoha"))
