"""What the record keeps of people's words."""

from __future__ import annotations

from docc.model.record import REASON_CHARACTERS_MAX, Asked, Phase, Record
from docc.model.secrets import hide


def kept(reason: str) -> str:
    written = Record(3, Phase.REVERTED, "me#1", 1e9, 1e9, stable=1, candidate=2, reason=reason)
    return Record.from_text(written.to_text()).reason


def test_a_reason_is_kept_without_secrets() -> None:
    said = "aborted by ada: log says postgres://shop:hunter2@db/x and API_TOKEN=abc123"
    assert kept(said) == "aborted by ada: log says postgres://***@db/x and API_TOKEN=***"
    assert kept(kept(said)) == kept(said)


def test_a_reason_is_kept_without_what_docc_knows_to_be_secret() -> None:
    """Without any form: a server that refuses an object quotes the bare value."""
    hide(["Corr3ctHorse"])
    assert kept('Invalid value: "Corr3ctHorse": must be longer') == 'Invalid value: "***": must be longer'
    asked = Asked("pause", "ada", 1e9, "says Corr3ctHorse")
    written = Record(3, Phase.AWAITING, "me#1", 1e9, 1e9, stable=1, candidate=2, asked=(asked,))
    assert "Corr3ctHorse" not in written.to_text()


def test_a_reason_has_an_end() -> None:
    assert kept("x" * 100_000) == "x" * REASON_CHARACTERS_MAX
