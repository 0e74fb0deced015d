"""The operating system behind the agent's ports: files, processes, sockets, metadata. It decides nothing."""
