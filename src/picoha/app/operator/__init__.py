"""Answers an operator's verbs: it looks, or writes a request for the loop. It has no actuators."""
