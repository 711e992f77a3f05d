"""docc's commands as processes: put together from the engine as docc/cli does it, without terminals and kubeconfigs.

Each raises what the command would end with, or returns its Outcome; `command` makes an Outcome of both.
"""

from __future__ import annotations

import functools
import json
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

from docc.cli.planning import as_begun, planned, recorded, straight, unfinished
from docc.cli.rollback import stays
from docc.core.history import history as entries
from docc.core.intent import Way, another_number, candidate_number, way_back
from docc.core.meddling import edits
from docc.core.observation import see
from docc.core.plan import Plan
from docc.core.verdict import Verdict
from docc.core.view import Until
from docc.engine import lease as locks
from docc.engine import requests, waiting
from docc.engine import rollback as back
from docc.engine.driver import Driver
from docc.engine.lease import Lease
from docc.engine.preflight import conditions
from docc.engine.removal import refuse_unfinished, remove
from docc.engine.sampling import Sampling
from docc.model.errors import DoccError, LockedError, NotFoundError, Unreachable, UnusableError
from docc.model.errors import ExitCode as Code
from docc.model.manifest import GatewayName, Manifest
from docc.model.moves import Outcome
from docc.model.world import Revision, Routed, Seen
from docc.spec.build import read
from tests.sim.stage import Process, Stage

APP, NAMESPACE, FORCED, IGNORED = "shop", "web", "--force-conflicts", "--baseline=ignore"
NEW = "--force-new"
CONDITION = 'sum(rate(x{code="500",deployment="$canary"}[10s])) / sum(rate(x{deployment="$canary"}[10s])) > 0.05'
STRATEGY: dict[str, Any] = {
    "canary": {"increment": 25, "interval": 6}, "failure_conditions": [{"name": "Errors", "expression": CONDITION}],
    "prometheus": {"url": "http://prometheus"}, "bake": 6, "poll": 3, "no_data_limit": 20, "progress_deadline": 30,
    "drain": 4, "keep_warm": 60,
}  # fmt: skip
CALM: dict[str, Any] = {key: STRATEGY[key] for key in ("drain", "keep_warm", "progress_deadline")}
TRIAL = {**STRATEGY, "ab_testing": {"enable_headers": True, "pause_before_rollout": True}}
STICKY = {**TRIAL, "sticky": True}
BRIEF = {**STRATEGY, "ab_testing": {"enable_headers": True, "pause_before_rollout": True, "pause_timeout": 20}}
GATEWAY = GatewayName("gw")


@dataclass(frozen=True)
class Want:
    """A manifest: which image, how many pods, and how it is rolled out. routed: there is a Gateway. mesh: clients in the mesh
    see the weights, too."""

    tag: int
    strategy: tuple[tuple[str, str], ...] = ()
    scale: int = 3
    routed: bool = True
    mesh: bool = False


def want(tag: int, strategy: dict[str, Any] = STRATEGY, **more: Any) -> Want:
    return Want(tag, tuple((key, json.dumps(value)) for key, value in strategy.items()), **more)


@functools.cache
def manifest(wanted: Want) -> Manifest:
    container = {"image": f"shop:{wanted.tag}", "ports": [{"port": 80}]}
    strategy = {key: json.loads(text) for key, text in wanted.strategy}
    application = {"name": APP, "scale": wanted.scale, "containers": {"web": container}, "mesh": wanted.mesh}
    return read(json.dumps({"application": application, "deployment_strategy": strategy}).encode(), "manifest.json")


@functools.cache
def _planned(wanted: Want, number: int) -> tuple[Plan, Sampling]:
    return planned(manifest(wanted), NAMESPACE, Seen(_ROUTED), GATEWAY if wanted.routed else None, number)


@functools.cache
def _recorded(number: int, text: str, spec_hash: str) -> tuple[Plan, Sampling]:
    kept = Revision(number, exists=True, manifest=text, spec_hash=spec_hash)
    return recorded(APP, NAMESPACE, Seen(_ROUTED, {number: kept}), number)[1:]


_ROUTED = Routed("HTTPRoute")


@dataclass(frozen=True)
class Verb:
    """What somebody types. name is the command's; run is what it does."""

    name: str
    run: Callable[[Process, Verb], Outcome] = field(repr=False, compare=False)
    want: Want | None = None
    to: int | None = None
    option: str = ""
    timeout: float | None = None
    until: Until = "done"

    def __str__(self) -> str:
        what = f" image {self.want.tag}" if self.want else ""
        return (
            f"{self.name}{what}" + (f" --to v{self.to}" if self.to else "") + (f" {self.option}" if self.option else "")
        )

    def at(self, *, routed: bool) -> Verb:
        """The same in a cluster with or without a Gateway."""
        if self.want is None or routed:
            return self
        straight = tuple((key, value) for key, value in self.want.strategy if key != "canary")
        return replace(self, want=replace(self.want, strategy=straight, routed=False, mesh=False))

    def __call__(self, process: Process) -> Outcome:
        """Never raises DoccError: the exit code is in the Outcome."""
        process.world.say(process.name, f"types docc {self}")
        try:
            outcome = self.run(process, self)
        except DoccError as error:
            outcome = Outcome("error", error.exit_code, f"{error.what} {error.why}".strip())
        code = outcome.exit_code
        process.world.say(process.name, f"ends with {int(code)}: {outcome.result} {outcome.reason}".rstrip())
        return outcome


def enter(stage: Stage, verb: Verb, delay: float = 0.0) -> Process:
    return stage.enter(Process(stage, verb.name, verb), delay)


def _first_look(process: Process) -> Seen:
    try:
        seen = see(APP, process.observe(APP))
    except Unreachable as error:
        raise UnusableError(error.what) from error
    if seen.routed.unreadable:
        raise LockedError("it carries a record that this docc cannot read", why=seen.routed.unreadable)
    return seen


def _uncontested(seen: Seen, verb: Verb) -> Seen:
    """Where others have changed what docc wrote, nothing is begun, unless docc's weights shall win."""
    if seen.record is not None and verb.option != FORCED and (found := edits(APP, seen, seen.record)):
        raise LockedError("somebody has changed what docc wrote", why=found[0].theirs)
    return seen


def _drive(process: Process, plan: Plan, sampling: Sampling, verb: Verb) -> Outcome:
    lease = Lease(process.ports, APP, process.me, NAMESPACE)
    try:
        lease.acquire()
    except locks.Stopped as stopped:
        return stopped.outcome
    try:
        forced = verb.option == FORCED
        driver = Driver(process.ports, APP, process.me, plan, sampling, lease, verb.timeout, forced, until=verb.until)
        return driver.run()
    finally:
        lease.release()


def _deploy(process: Process, verb: Verb) -> Outcome:
    assert verb.want is not None
    seen = _uncontested(_first_look(process), verb)
    number = (another_number if verb.option == NEW else candidate_number)(seen, manifest(verb.want).spec_hash)
    plan, sampling = _planned(verb.want, number)
    if sampling.conditions:
        judged, _ = conditions(process.ports, plan, sampling, seen)
        failing = tuple(check.name for check in judged.results if check.verdict is Verdict.FAIL)
        plan = replace(plan, excused=failing) if verb.option == IGNORED else plan
    return _drive(process, plan, sampling, verb)


def _resume(process: Process, verb: Verb) -> Outcome:
    seen = _uncontested(_first_look(process), verb)
    plan, sampling = as_begun(*_kept(seen, unfinished(APP, NAMESPACE, seen)), seen)
    if sampling.conditions:
        conditions(process.ports, plan, sampling, seen)
    return _drive(process, plan, sampling, verb)


def _ask(process: Process, verb: Verb) -> Outcome:
    """promote, full, pause, resume: the request; then whoever drives goes on, or this process does."""
    _uncontested(_first_look(process), verb)
    outcome = requests.ask(process.ports, APP, process.me, verb.option, f"by {process.name}")
    if outcome is not None and outcome.result != "unchanged":
        return _found(outcome)
    try:
        driver = requests.who_goes_on(process.ports, APP, _first_look(process))
    except locks.Stopped as stopped:
        return stopped.outcome
    if driver or verb.option == "pause":
        return Outcome("asked", Code.DONE, driver)
    return _resume(process, verb)


def _kept(seen: Seen, number: int) -> tuple[Plan, Sampling]:
    found = seen.revision(number)
    if not found.exists or not found.manifest:
        raise NotFoundError(f"no revision v{number}")
    return _recorded(number, found.manifest, found.spec_hash)


def _rollback(process: Process, verb: Verb) -> Outcome:
    seen = _first_look(process)
    way, why = way_back(seen, verb.to), f"rolled back by {process.name}"
    if way.way is Way.NOWHERE:
        raise NotFoundError("nothing to roll back to", why=way.why)
    if way.way is Way.STAYS:
        return stays(way.target, contested=seen.record is not None and bool(edits(APP, seen, seen.record)))
    if way.way is Way.COLD and way.target is not None:
        plan, _ = _kept(seen, way.target)
        return back.bring_back(process.ports, straight(plan, seen, "rollback", why), process.me, verb.timeout)
    return _found(back.turn_back(process.ports, APP, NAMESPACE, process.me, why, way.target))


def _abort(process: Process, verb: Verb) -> Outcome:
    seen = _first_look(process)
    if verb.option == "--if-unwatched":
        if seen.record is None or not seen.record.phase.undecided:
            return Outcome("unchanged", Code.DONE, "no rollout is under way")
        if seen.record.may_wait(process.now()):
            return Outcome("unchanged", Code.DONE, "its driver has left it waiting, as it was told to")
        try:
            driver = locks.watcher_of(process.ports, APP)
        except locks.Stopped as stopped:
            return stopped.outcome
        if driver:
            return Outcome("unchanged", Code.DONE, f"{driver} watches it")
    return _found(back.give_up(process.ports, APP, NAMESPACE, process.me, f"aborted by {process.name}"))


def _found(outcome: Outcome) -> Outcome:
    if outcome.exit_code is Code.NOT_FOUND:
        raise NotFoundError("nothing to act on", why=outcome.reason)
    return outcome


def _gc(process: Process, verb: Verb) -> Outcome:
    _first_look(process)
    return back.tidy(process.ports, APP, NAMESPACE, process.me)


def _delete(process: Process, verb: Verb) -> Outcome:
    objects, keep = process.observe(APP), verb.option == "--keep-workload"
    if objects.route is None and not objects.services and not objects.deployments and objects.history is None:
        raise NotFoundError("no such app")
    if keep:
        refuse_unfinished(APP, NAMESPACE, see(APP, objects).record)
    return remove(process.ports, APP, NAMESPACE, process.me, keep_workload=keep)


def _wait(process: Process, verb: Verb) -> Outcome:
    if _first_look(process).record is None:
        raise NotFoundError("no such app")
    return waiting.wait(process.ports, APP, 300)


def _history(process: Process, verb: Verb) -> Outcome:
    found = entries(_first_look(process))
    return Outcome("shown", Code.DONE, ", ".join(f"#{each.number} {each.outcome} v{each.revision}" for each in found))


def _unlock(process: Process, verb: Verb) -> Outcome:
    _first_look(process)
    return Outcome("unlocked", Code.DONE, locks.unlock(process.ports, APP))


def deploy(wanted: Want) -> Verb:
    return Verb("deploy", _deploy, wanted)


RESUME, ROLLBACK, ABORT, GC = (
    Verb("resume", _resume),
    Verb("rollback", _rollback),
    Verb("abort", _abort),
    Verb("gc", _gc),
)
DELETE, WAIT, HISTORY, UNLOCK = (
    Verb("delete", _delete), Verb("wait", _wait), Verb("history", _history), Verb("unlock", _unlock),
)  # fmt: skip
PROMOTE, FULL, PAUSE, GO_ON = (Verb(word, _ask, option=word) for word in ("promote", "full", "pause", "resume"))
UNWATCHED = replace(ABORT, option="--if-unwatched")
KEEP = replace(DELETE, option="--keep-workload")


def forced(verb: Verb) -> Verb:
    return replace(verb, option=FORCED)


def ignoring(verb: Verb) -> Verb:
    return replace(verb, option=IGNORED)


def anew(verb: Verb) -> Verb:
    return replace(verb, option=NEW)


def back_to(number: int) -> Verb:
    return replace(ROLLBACK, to=number)
