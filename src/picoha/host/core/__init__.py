"""The agent, pure: what it knows and does next. No operating system, no network, no process."""
