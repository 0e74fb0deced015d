"""Judges what really happened in a drill, by the world and the writes, never by picoha's own opinion."""
