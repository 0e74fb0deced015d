"""The Lambda function behind the operator's commands; it looks and writes requests, and cannot act."""

from __future__ import annotations

import os

from aws_lambda_powertools import Logger
from aws_lambda_powertools.logging import utils

from picoha import bootstrap
from picoha.lambdas.operator_handler import build
from picoha.settings import Settings

SETTINGS = Settings.load(os.environ)
LOG = Logger(service="picoha-operator", cell=SETTINGS.cell)
utils.copy_config_to_registered_loggers(source_logger=LOG, include={"picoha"})

handler = build(bootstrap.operator(SETTINGS), SETTINGS.policy, LOG)
