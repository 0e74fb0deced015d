"""The command `picoha-agent`: its configuration, its assembly, what it prints."""
