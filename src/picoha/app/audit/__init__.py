"""Judges the records of a period against what picoha promises. It reads; it never writes."""
