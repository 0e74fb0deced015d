"""The ordered tables of numbered rules, and how an operation moves. What they judge by is in `judging`."""
