"""Decisions and records in words, for people: why, plan, report. Nothing here changes a decision."""
