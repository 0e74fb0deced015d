"""Hypothesis profiles (`ci`: the same examples each time; `deep`: twenty times as many); what a run tells."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import settings

CI_EXAMPLES = 100

settings.register_profile("ci", deadline=None, max_examples=CI_EXAMPLES, derandomize=True)
settings.register_profile("deep", deadline=None, max_examples=20 * CI_EXAMPLES)
# Hypothesis' pytest plugin reads --hypothesis-profile later than this file, so the option wins.
settings.load_profile("ci")


@pytest.fixture
def figure(request: pytest.FixtureRequest) -> Callable[[str], None]:
    """Let a test print a figure of its run; it survives xdist and stands in the closing lines."""

    def say(text: str) -> None:
        request.node.user_properties.append(("figure", text))

    return say


class Failures:
    """Tells each failure when it happens: a search of hours may be stopped before its summary."""

    def __init__(self, terminal: pytest.TerminalReporter) -> None:
        self.terminal = terminal

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Print the message of a failed assertion, or the end of another report."""
        if report.failed:
            crash = getattr(report.longrepr, "reprcrash", None)
            said = crash.message if crash else report.longreprtext
            self.terminal.write_line(f"\n{report.nodeid}: {said[:2000]}")


@pytest.hookimpl(trylast=True)
def pytest_configure(config: pytest.Config) -> None:
    """Register it where the terminal is, not in a worker of xdist."""
    terminal = config.pluginmanager.getplugin("terminalreporter")
    if terminal is not None and not hasattr(config, "workerinput"):
        config.pluginmanager.register(Failures(terminal))


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print the figures of all tests after the run, in the order of the files."""
    reports = [getreport for kind in ("passed", "failed") for getreport in terminalreporter.getreports(kind)]
    said = [
        f"{one.nodeid.split('::')[0]}: {text}"
        for one in sorted(reports, key=lambda report: report.nodeid)
        for name, text in one.user_properties
        if name == "figure" and one.when == "call"
    ]
    if said:
        terminalreporter.section("figures")
        terminalreporter.write("\n".join(said) + "\n")
