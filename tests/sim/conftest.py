"""What the simulation was proved with, told at the end: each planted bug, and how soon it was caught."""

from __future__ import annotations

import pytest

MUTANT = "mutant"


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """From the tests' reports, since these come from other processes with several workers."""
    reports = (report for outcome in ("passed", "failed") for report in terminalreporter.getreports(outcome))
    texts = sorted(text for report in reports for name, text in report.user_properties if name == MUTANT)
    if texts:
        terminalreporter.section(f"planted bugs: {len(texts)}")
    for text in texts:
        terminalreporter.line(text)
