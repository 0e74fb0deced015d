"""Hypothesis profiles: `ci`, the same examples on every run; `deep`, twenty times as many, new ones."""

from __future__ import annotations

from hypothesis import settings

CI_EXAMPLES = 100

settings.register_profile("ci", deadline=None, max_examples=CI_EXAMPLES, derandomize=True)
settings.register_profile("deep", deadline=None, max_examples=20 * CI_EXAMPLES)
# Hypothesis' pytest plugin reads --hypothesis-profile later than this file, so the option wins.
settings.load_profile("ci")
