"""CloudWatch in memory: metrics, and alarms under the documented M-of-N and missing-data rules."""
