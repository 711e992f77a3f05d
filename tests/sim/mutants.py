"""Planted bugs: each is a few lines of docc changed as it is imported, and the simulation must notice every one.

`python -m tests.sim.mutants NAME` plays all scenarios with that bug and exits with 1 if it was caught. docc's own
invariants (core/invariants.py) are switched off in every mutant: the auditor alone has to see what is wrong.
"""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.abc import MetaPathFinder, SourceLoader
from importlib.machinery import ModuleSpec, PathFinder
from pathlib import Path
from types import ModuleType


@dataclass(frozen=True)
class Edit:
    module: str
    old: str
    new: str


NO_INVARIANTS = (
    Edit("docc.engine.driver", "        check(view, move)\n", ""),
    Edit("docc.engine.rollback", "        check(view, move)\n", ""),
)

MUTANTS: dict[str, tuple[Edit, ...]] = {
    "no guard: writes do not test what was observed": (
        Edit("docc.core.route", "(_unrecorded(routed), _unchanged(routed), write, *spec)", "(write, *spec)"),
    ),
    "split write: traffic first, the record in a write of its own": (
        Edit(
            "docc.core.writes",
            "    return Move(commit(view.app, view.seen.routed, record, *spec, *extra), facts)\n",
            "    from docc.core.route import guarded\n"
            "    if spec or extra:\n"
            "        return Move(guarded(view.app, view.seen.routed, *spec, *extra))\n"
            "    return Move(commit(view.app, view.seen.routed, record), facts)\n",
        ),
    ),
    "epoch ignored: who takes over does not raise it": (
        Edit(
            "docc.core.planner",
            "claimed = replace(record, phase=phase, epoch=record.epoch + 1, by=view.me, left=False)",
            "claimed = replace(record, phase=phase, by=view.me, left=False)",
        ),
    ),
    "readiness ignored: weight grows at once": (
        Edit("docc.core.rollout", "    if candidate.available >= needed:\n", "    if needed >= 0:\n"),
    ),
    "unknown Service: weight grows before the data plane has heard of it": (
        Edit("docc.core.rollout", "        return _await_service(candidate, view)\n", "        return None\n"),
    ),
    "in haste: weight grows onto pods that have only just become ready": (
        Edit("docc.core.rollout", "    if candidate.available >= needed:\n", "    if candidate.ready >= needed:\n"),
    ),
    "NO-DATA passes": (
        Edit("docc.core.view", "            if check.verdict is not Verdict.OK:\n", "            if self.now < 0:\n"),
        Edit("docc.core.view", "            if not check.fresh:\n", "            if self.now < 0:\n"),
    ),
    "FAIL overlooked": (
        Edit(
            "docc.core.rollout",
            "    if view.can_return and (check := view.failing())",
            "    if view.now < 0 and (check := view.failing())",
        ),
    ),
    "stable scaled early: during the bake": (
        Edit(
            "docc.core.rollout",
            "    at = record.step + 1\n",
            "    if view.record.phase is Phase.BAKING and view.stable.replicas:\n"
            "        from docc.core.names import deployment_name\n"
            "        from docc.core.pods import _scale_down\n"
            "        return _scale_down(deployment_name(view.app, view.stable.number), view.stable)\n"
            "    at = record.step + 1\n",
        ),
    ),
    "Service deleted before the route lets go": (
        Edit(
            "docc.core.planner",
            "    settled = record.becoming(following(record.phase, Signal.SETTLE), view.now, weight=0, exposed=None)\n",
            "    if view.candidate.has_service:\n"
            "        from docc.model.moves import Delete, Ref\n"
            "        ref = Ref('Service', f'{view.app}-v{record.candidate}')\n"
            "        return Move(Delete(ref, view.candidate.service_uid, view.candidate.service_version))\n"
            "    settled = record.becoming(following(record.phase, Signal.SETTLE), view.now, weight=0, exposed=None)\n",
        ),
    ),
    "422 not retried: a failed guard ends the driver": (
        Edit(
            "docc.engine.driver",
            "        if isinstance(error, LoginLost) and over:\n",
            "        if isinstance(error, LookAgain):\n"
            "            return Outcome('stuck', ExitCode.FAILED_NOT_CLEAN, str(error))\n"
            "        if isinstance(error, LoginLost) and over:\n",
        ),
    ),
    "no fence: a revision is brought back without the new epoch on its Deployment": (
        Edit("docc.core.pods", "view.seen.routed.weights and candidate.epoch != str(epoch)", "() and False"),
        Edit("docc.core.pods", "(known, there, _mark(epoch), up)", "(known, there, up)"),
    ),
    "no fence: a revision is brought back without the new epoch on its Service": (
        Edit("docc.core.pods", "view.seen.routed.weights and candidate.service_epoch != str(epoch)", "() and False"),
    ),
    "no fence: pods are taken down without a test": (
        Edit("docc.core.pods", "(test, down)), (Scaled(revision.number, 0", "(down,)), (Scaled(revision.number, 0"),
    ),
    "no fence: pods come up without a test of how many there are": (
        Edit("docc.core.pods", "(known, there, _mark(epoch), up)", "(_mark(epoch), up)"),
    ),
    "front forgotten: it goes on selecting the former stable": (
        Edit(
            "docc.core.pods",
            "    if front.selects == stable and (front.epoch == epoch or not promoting):\n",
            "    if front.exists:\n",
        ),
    ),
    "no fence: the front is not marked where it stays": (
        Edit(
            "docc.core.pods",
            "    if front.selects == stable and (front.epoch == epoch or not promoting):\n",
            "    if front.selects == stable:\n",
        ),
    ),
    "orphans: a reverted candidate's pods stay": (
        Edit(
            "docc.core.pods",
            "        if revision.exists and revision.replicas > 0:\n",
            "        if revision.number < 0:\n",
        ),
    ),
    "the history tells a rest twice": (
        Edit(
            "docc.core.history",
            "noted.foreign or _is_noted(noted, entry)",
            "noted.foreign or entry.outcome == 'reverted'",
        ),
    ),
    "the history forgets what a rollback ended": (
        Edit("docc.engine.rollback", "        _note(self.ports, view)\n", ""),
    ),
    "the history is not noted before the next rollout": (
        Edit("docc.core.planner", "noting = note(view)\n", "noting = outcome and note(view) or None\n"),
    ),
    "a route that is gone is a first deploy": (
        Edit("docc.core.intent", "    return behind_front(seen)\n", "    return None\n"),
    ),
    "who had traffic when the record was lost does not drain": (
        Edit("docc.core.planner", " or _others_up(view, record)\n", "\n"),
    ),
    "cooled before its time": (Edit("docc.core.cooling", "now >= record.cool_after:", "now >= record.since:"),),
    "warm too short: the drain is counted for it": (
        Edit(
            "docc.core.planner",
            "cool_after = view.now + record.keep_warm",
            "cool_after = record.since + record.keep_warm",
        ),
    ),
    "pruned: a Deployment that the route names": (
        Edit(
            "docc.core.cooling",
            "    for number, found in sorted(revisions.items()):\n",
            "    needed = {*newest} - {record.stable}\n    for number, found in sorted(revisions.items()):\n",
        ),
        Edit("docc.core.cooling", "found.replicas == 0 and not found.has_service:", "found.replicas >= 0:"),
    ),
    "abort does not raise the epoch": (
        Edit("docc.core.writes", "epoch=record.epoch + (0 if mine else 1)", "epoch=record.epoch"),
    ),
    "cold rollback moves the traffic at once": (
        Edit("docc.core.cooling", "previous.ready >= needed else None", "needed else None"),
        Edit("docc.core.cooling", "    named = record.previous in seen.routed.weights\n", "    named = True\n"),
    ),
    "cold rollback with one pod for all": (
        Edit("docc.core.view", "return max(1, math.ceil(scale * weight / 100)) if", "return 1 if"),
    ),
    "gc decides about an unfinished rollout": (
        Edit(
            "docc.core.planner",
            "if plan is None and record.phase.undecided:  #",
            "if plan is None and record.phase.undecided:\n"
            "        return return_move(view, 'nobody wants it to go on')\n"
            "    if plan is None and view.now < 0:  #",
        ),
    ),
    "delete takes the pods before the route": (
        Edit(
            "docc.core.removal",
            "    going = [\n",
            "    going = [\n"
            '        *(("Deployment", body) for name, body in objects.deployments.items() if _is_of(app, name)),\n',
        ),
    ),
    "no drain after a trial": (Edit("docc.core.planner", "named or record.exposed is not None", "named or False"),),
    "a rollback whose answer is lost says that nothing was touched": (
        Edit("docc.engine.rollback", "            self.sent = True\n", "            pass\n"),
    ),
    "two rollbacks at once undo each other": (
        Edit("docc.core.planner", "and record.stable == target:", "and target == -1:"),
        Edit("docc.core.planner", "target is not None and target not in", "target == -1 and target not in"),
    ),
    "a failure midway promises that nothing was touched": (
        Edit("docc.engine.driver", "        if not self.moved or outcome", "        if outcome is not None or outcome"),
    ),
    "no patience: a lost login ends the driver at once": (
        Edit("docc.engine.driver", "isinstance(error, LoginLost) and over:\n", "isinstance(error, LoginLost):\n"),
    ),
    "all is well: a driver that gave up calls any traffic safe": (
        Edit(
            "docc.engine.driver",
            'return Outcome("stuck", ExitCode.FAILED_NOT_CLEAN, words(error))\n',
            'return Outcome("stuck", ExitCode.FAILED_SAFE, words(error))\n',
        ),
    ),
    "header users are forgotten: a driver that gave up calls them safe": (
        Edit("docc.engine.driver", " == 0 and not seen.routed.above)", " == 0)"),
    ),
    "a refused write ends the driver where users are": (
        Edit(
            "docc.engine.driver",
            "        if not self._held or self._broken:\n",
            "        if self.app:\n",
        ),
    ),
    "a refused write is sent again and again": (
        Edit("docc.engine.driver", "        self._broken = words(error)\n", ""),
    ),
    "a Lease that is refused ends the driver where users are": (
        Edit("docc.engine.driver", "isinstance(error, LookAgain) or not self._broken:", "error:"),
    ),
    "a Lease whose renewal is refused is tried again at once": (
        Edit("docc.engine.driver", "            lease.put_off()\n", "            return\n"),
    ),
    "how a command ends is forgotten when the Lease is not taken back": (
        Edit(
            "docc.engine.lease",
            "        except DoccError:\n            return\n",
            "        except LookAgain:\n            return\n",
        ),
    ),
    "a park leaves the traffic where it is": (
        Edit(
            "docc.core.writes",
            "    return write(view, parked, _all_on_stable(view), (Parked",
            "    return write(view, parked, None, (Parked",
        ),
    ),
    "no door: the route names the front Service before it is there": (
        Edit("docc.core.pods", "    if not plan.meshed or (front", "    if plan.meshed or (front"),
    ),
    "foreign weights overwritten in silence": (
        Edit(
            "docc.core.dispute",
            "    return (_written_again(view) if _is_due(view) else None) or _hold(view)\n",
            "    return None\n",
        ),
    ),
    "foreign weights put back without a word": (
        Edit("docc.core.dispute", '(PutBack(view.edits, "its weights"),)', "()"),
    ),
    "the memory is believed though somebody else had the lock": (
        Edit("docc.engine.memory", "        self._known, self._sent = None, ()\n", "        return\n"),
    ),
    "a record that was refused is believed": (
        Edit(
            "docc.engine.driver",
            "            self._memory.refused(self.app, move.effect)\n            raise\n",
            "            self._memory.arrived(self.app, move.effect)\n            raise\n",
        ),
    ),
    "a rollout of which the route has nothing any more goes on": (
        Edit(
            "docc.core.dispute",
            "    if routed.exists and routed.has_rule and not unnamed:",
            "    if view.now > 0:",
        ),
    ),
    "the front Service is left to lead nowhere": (
        Edit("docc.core.dispute", "    return bool(view.front_edits) and", "    return False and"),
    ),
    "a condition that fails already is not waited for": (
        Edit("docc.core.rollout", "Phase.PREPARING and (move := _baseline", "Phase.STUCK and (move := _baseline"),
    ),
    "what failed already is judged though it was excused": (
        Edit("docc.core.view", "if c.name not in self.record.excused)", "if c.name)"),
    ),
    "a crash is ignored": (
        Edit("docc.core.rollout", "    if candidate.crashed_at is not None and", "    if view.now < 0 and"),
    ),
    "status believes that somebody watches": (
        Edit("docc.ui.status", "        watched=alive or record.phase.at_rest,\n", "        watched=True,\n"),
    ),
    "status tells the record's weight for the route's": (
        Edit(
            "docc.ui.status",
            "        weight = seen.routed.weights.get(number, 0)\n",
            "        weight = record.serving.get(number, 0)\n",
        ),
    ),
    "a weight takes users off the trial": (
        Edit("docc.core.steps", "    trial = next(", "    trial = () if weight else next("),
    ),
    "users do not stay where they are": (
        Edit(
            "docc.core.steps",
            "return Above(trial, (candidate, stable) if weight else (candidate,))",
            "return Above(trial)",
        ),
    ),
    "nobody is ever on trial": (
        Edit("docc.core.steps", "    if weight == 100 or stable is None or", "    if weight >= 0 or stable is None or"),
    ),
    "the trial goes on while all traffic bakes": (
        Edit("docc.core.steps", "    if weight == 100 or stable is None or", "    if stable is None or"),
    ),
    "who is on trial does not count: the candidate's end is overlooked": (
        Edit("docc.core.rollout", "    if idle:\n", "    if view.weight == 0:\n"),
    ),
    "nobody is asked while stable is away": (
        Edit(
            "docc.core.rollout",
            "    if not view.can_return and not _to_be_asked(record, plan):\n",
            "    if not view.can_return:\n",
        ),
    ),
    "a moment without stable ends all caution": (
        Edit("docc.core.rollout", "DESERTED_SECONDS = 10.0", "DESERTED_SECONDS = 0.0"),
    ),
    "once approved, nothing is judged before the first weight": (
        Edit(
            "docc.core.rollout",
            "    if not plan.judged or view.record.phase",
            "    if plan.judged or view.record.phase",
        ),
    ),
    "a driver that stays for ready pods leaves users on them": (
        Edit(
            "docc.core.rollout", '"ready" and record.phase is Phase.PREPARING and', '"ready" and record.weight > 0 and'
        ),
    ),
    "lost endpoints do not count": (
        Edit("docc.core.rollout", "    if candidate.ready == 0:\n", "    if candidate.ready < 0:\n"),
    ),
}


class _Loader(SourceLoader):
    def __init__(self, path: str, edits: Sequence[Edit]) -> None:
        self.path, self.edits = path, edits

    def get_filename(self, fullname: str) -> str:
        return self.path

    def get_data(self, path: str | bytes) -> bytes:
        text = Path(str(path)).read_text(encoding="utf-8")
        for edit in self.edits:
            if text.count(edit.old) != 1:
                raise LookupError(f"{edit.module} does not have exactly one {edit.old!r}: renew the mutant")
            text = text.replace(edit.old, edit.new)
        return text.encode()

    def path_stats(self, path: str) -> dict[str, float]:
        raise OSError("no cache for mutants")


class _Finder(MetaPathFinder):
    def __init__(self, edits: Sequence[Edit]) -> None:
        self.edits = edits

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        edits = [edit for edit in self.edits if edit.module == fullname]
        found = PathFinder.find_spec(fullname, path) if edits else None
        if found is None or found.origin is None:
            return None
        return importlib.util.spec_from_loader(fullname, _Loader(found.origin, edits), origin=found.origin)


def main(name: str) -> int:
    sys.meta_path.insert(0, _Finder((*NO_INVARIANTS, *MUTANTS[name])))
    from tests.sim import play

    return play.caught()


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1]))
