"""The story format and what each of its verbs does to a drill."""
