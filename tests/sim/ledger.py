"""The laws of the history: one entry for each rest, in order, with what really became of it; entries are only added."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any

from tests.sim.world import Key, Object, Violation, World

OUTCOMES = {"succeeded": "promoted", "reverted": "reverted", "parked": "parked"}
ENTRIES_MAX = 100


def read(text: str | None) -> dict[str, Any]:
    """A record; {} for none, and for what nobody can read."""
    try:
        found = json.loads(text or "{}")
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


@dataclass
class Rest:
    """A rollout that came to rest. left: the process whose write ended it before anybody had noted it."""

    since: str
    outcome: str
    revision: int | None
    verb: str
    noted: bool = False
    left: str = ""


@dataclass
class Ledger:
    """rests: all since the history began."""

    rests: list[Rest] = field(default_factory=list)
    phase: str = ""
    since: str = ""

    def changed(self, world: World, actor: str, key: Key, before: Object | None, after: Object | None) -> None:
        if key == ("ConfigMap", "docc-shop"):
            if after is None:
                self.rests = [rest for rest in self.rests if rest.since == self.since and self.phase in OUTCOMES]
                for rest in self.rests:  # the present one may be noted anew, and need not be
                    rest.noted, rest.left = False, "somebody"
            elif actor != "somebody":
                self._added((before or {}).get("data") or {}, after.get("data") or {})
            return
        if key != ("HTTPRoute", "shop") and (key != ("Service", "shop") or ("HTTPRoute", "shop") in world.objects):
            return
        text = ((after or {}).get("metadata", {}).get("annotations") or {}).get("docc.dev/rollout")
        record = read(text)
        if not record or record.get("v") != 1:
            for rest in self.rests:  # what only the record knew is lost with it
                rest.left = rest.left or "somebody"
            self.phase = ""
            return
        self._came(record, actor)

    def _came(self, record: dict[str, Any], actor: str) -> None:
        phase, since = record["phase"], record["since"]
        if (phase, since) == (self.phase, self.since):
            return
        for rest in self.rests:
            if not rest.noted:
                rest.left = rest.left or actor
        self.phase, self.since = phase, since
        if phase in OUTCOMES:
            again = next((rest for rest in self.rests if (rest.since, rest.outcome) == (since, OUTCOMES[phase])), None)
            if again is not None:  # a record that was wiped, and that its driver has put back
                again.left = ""
                return
            revision = record.get("stable") if phase == "succeeded" else record.get("candidate")
            self.rests.append(Rest(since, OUTCOMES[phase], revision, record.get("verb", "deploy")))

    def _added(self, before: dict[str, str], after: dict[str, str]) -> None:
        new, gone = set(after) - set(before), set(before) - set(after)
        if any(after[key] != before[key] for key in set(after) & set(before)):
            raise Violation("an entry of the history was changed")
        if len(new) != 1:
            raise Violation(f"{len(new)} entries of the history came in one write")
        numbers = sorted(int(key) for key in before)
        number = int(new.pop())
        if number != (numbers[-1] if numbers else 0) + 1:
            raise Violation(f"entry #{number} came after #{numbers[-1:]}")
        if gone and (len(before) < ENTRIES_MAX or sorted(map(int, gone)) != numbers[: len(gone)]):
            raise Violation(f"entries {gone} went from a history of {len(before)}")
        entry = json.loads(after[str(number)])
        rest = next((rest for rest in self.rests if rest.since == entry["ended"]), None)
        if rest is None:
            raise Violation(f"the history has an entry of {entry['ended']}, when nothing came to rest")
        if rest.noted:
            raise Violation(f"the rest of {entry['ended']} is in the history twice")
        told = (entry["outcome"], entry["revision"], entry["verb"])
        if told != (rest.outcome, rest.revision, rest.verb):
            raise Violation(f"the history tells {told} of {(rest.outcome, rest.revision, rest.verb)}")
        late = [other.since for other in self.rests[self.rests.index(rest) + 1 :] if other.noted]
        if late:
            raise Violation(f"the rest of {rest.since} is noted after that of {late[0]}")
        rest.noted = True

    def missing(self, excused: set[str]) -> list[Rest]:
        """Rests that nobody noted, and whose end nobody in `excused` has to answer for."""
        return [rest for rest in self.rests if not rest.noted and rest.left not in excused]
