"""The ordered tables of numbered rules, and how an operation moves. Judgements they share are in `judging`."""
