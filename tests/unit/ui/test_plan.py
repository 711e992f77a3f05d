"""The plan that is shown before anything happens."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from docc.cli.planning import planned
from docc.core.pods import remember
from docc.core.view import Checks, View
from docc.model.errors import Obstacle
from docc.model.manifest import GatewayName
from docc.model.moves import Patch
from docc.model.record import Phase, Record
from docc.model.world import Revision, Routed, Seen
from docc.spec.build import read
from docc.spec.recorded import kept
from docc.ui.plan import notes, plan_lines
from tests.unit.ui.story import T0

RATIO = "sum(rate(errors_total{deployment='$canary'}[1m])) / sum(rate(requests_total{deployment='$canary'}[1m])) > 0.05"
OVER_ALL = "sum(rate(http_requests_total{code='500'}[1m])) / sum(rate(http_requests_total[1m])) > 0.05"
CANARY: dict[str, Any] = {
    "canary": {"increment": 30, "interval": 60},
    "failure_conditions": [{"name": "Ratio", "expression": RATIO}, {"name": "OverAll", "expression": OVER_ALL}],
}
GATEWAY = GatewayName("public", "infra")
NOTHING = Seen(Routed("HTTPRoute"))


def live(spec_hash: str = "other") -> Seen:
    record = Record(1, Phase.SUCCEEDED, "ci#1", T0, T0, stable=1)
    revision = Revision(1, exists=True, spec_hash=spec_hash, replicas=3, available=3, ready=3)
    return Seen(Routed("HTTPRoute", exists=True, record=record, weights={1: 100}), {1: revision})


def changed(spec_hash: str = "same") -> Seen:
    """Live with two pods, for another host, at another Gateway."""
    found = live(spec_hash)
    spec = {
        "parentRefs": [{"name": "old", "namespace": "infra"}], "hostnames": ["old.test"],
        "rules": [{"matches": [], "backendRefs": [{"name": "shop-v1"}]}],
    }  # fmt: skip
    routed = replace(found.routed, has_parents=True, body={"spec": spec})
    return replace(found, routed=routed, revisions={1: replace(found.revision(1), replicas=2)})


def plan_text(
    strategy: dict[str, Any],
    seen: Seen,
    *,
    excused: tuple[str, ...] = (),
    gateway: GatewayName | None = GATEWAY,
    **more: Any,
) -> str:
    web = {"image": "acme/shop:2", "ports": [{"port": 8080}]}
    application = {"name": "shop", "scale": 3, "containers": {"web": web}, **more}
    body = {"application": application, "deployment_strategy": strategy}
    manifest = read(json.dumps(body).encode(), "manifest.json")
    if seen is not NOTHING and seen.revision(1).spec_hash == "same":
        seen = replace(seen, revisions={1: replace(seen.revision(1), spec_hash=manifest.spec_hash)})
    plan, _ = planned(manifest, "web", seen, gateway)
    return "\n".join(plan_lines(manifest, replace(plan, excused=excused), seen))


def test_plans(golden: Callable[[str, str], None]) -> None:
    plans = {
        "first": plan_text(CANARY, NOTHING),
        "canary": plan_text(CANARY, live()),
        "canary, one excused": plan_text(CANARY, live(), excused=("Ratio",)),
        "all at once": plan_text({}, live()),
        "mesh": plan_text(CANARY, live(), mesh=True, hosts=["shop.example.com"], paths=["/a", "/b"]),
        "mesh alone": plan_text({}, live(), mesh=True, gateway=None),
        "no route": plan_text({}, live(), gateway=None),
        "in place": plan_text(CANARY, live("same")),
        "in place, changed": plan_text(CANARY, changed(), hosts=["new.test"], paths=["/a"]),
        "canary, hosts changed": plan_text(CANARY, changed("other"), hosts=["new.test"]),
    }
    golden("plan.txt", "\n".join(f"--- {name}\n{text}\n" for name, text in plans.items()))


def test_notes() -> None:
    """Each on one line, whatever the names in it hold; what could not be looked at comes last."""
    told = [Obstacle("HPA a\x1b[31m scales v1", why="it\n::error::stays", fix="aim it"), Obstacle("bare")]
    assert list(notes(told, ["you may not list x", "list y: no answer"])) == [
        "  note: HPA a\\x1b[31m scales v1: it ::error::stays",
        "        aim it",
        "  note: bare",
        "  not looked at: you may not list x; list y: no answer",
    ]
    assert list(notes([], [])) == []


def test_the_plan_calls_nothing_new_or_reverted_that_is_not() -> None:
    def first_line(phase: Phase, candidate: int | None, known: str) -> str:
        spec_hash = read(json.dumps(body).encode(), "manifest.json").spec_hash
        record = Record(1, phase, "ci#1", T0, T0, stable=1, previous=None, candidate=candidate)
        revisions = {1: Revision(1, exists=True, spec_hash="other", replicas=3, available=3, ready=3)}
        if known:
            revisions[2] = Revision(2, exists=True, spec_hash=spec_hash)
        seen = Seen(Routed("HTTPRoute", exists=True, record=record, weights={1: 100}), revisions)
        return plan_text(CANARY, seen).splitlines()[0]

    web = {"image": "acme/shop:2", "ports": [{"port": 8080}]}
    body = {"application": {"name": "shop", "scale": 3, "containers": {"web": web}}, "deployment_strategy": CANARY}
    assert first_line(Phase.PARKED, 2, "known").endswith("v2: begins its parked rollout again, at the first step")
    assert first_line(Phase.REVERTED, 2, "known").endswith("v2: tries the reverted version again")
    assert "ends its revert" in first_line(Phase.REVERTING, 2, "known")
    assert first_line(Phase.REVERTING, 3, "").endswith(": ends the revert under way, then rolls out a new version")
    assert first_line(Phase.PROMOTING, None, "").endswith(
        ": ends the promotion under way, then rolls out a new version"
    )
    assert first_line(Phase.SUCCEEDED, None, "known").endswith("v2: rolls out an earlier version again")
    assert first_line(Phase.SUCCEEDED, None, "").endswith("v2: rolls out a new version")


def test_the_plan_tells_what_else_differs_from_the_version_that_serves() -> None:
    web = {"image": "acme/shop:2", "ports": [{"port": 8080}]}
    before = {"application": {"name": "shop", "scale": 3, "containers": {"web": web}}, "deployment_strategy": CANARY}
    there = kept(read(json.dumps(before).encode(), "manifest.json"), GATEWAY)
    seen = live()
    seen = replace(seen, revisions={1: replace(seen.revision(1), manifest=there)})
    assert "differs" not in plan_text(CANARY, seen)
    assert "  differs from v1: containers.web.command added" in plan_text(
        CANARY, seen, containers={"web": {**web, "command": ["x"]}}
    )
    same = replace(seen, revisions={1: replace(seen.revision(1), spec_hash="same")})
    told = plan_text({**CANARY, "bake": "90s"}, same).splitlines()
    assert "  changes: from the next rollout on: bake added" in told, told


def test_the_plan_tells_another_maintainer_and_deploy_writes_and_removes_it() -> None:
    body: dict[str, Any] = {"application": {"name": "shop", "scale": 3, "containers": {"web": {"image": "a:1"}}}}

    def deployed(now: str | None, before: str | None) -> tuple[str, list[Any]]:
        old, new = (
            read(json.dumps(body | ({"maintainer": who} if who else {})).encode(), "m.json") for who in (before, now)
        )
        seen = live(new.spec_hash)
        there = replace(seen.revision(1), manifest=kept(old, None), maintainer=before, epoch="1")
        seen = replace(seen, revisions={1: there})
        plan, _ = planned(new, "web", seen, None)
        move = remember(View("shop", "me", plan, seen, Checks(), T0), plan, there)
        done = move.effect.operations if move is not None and isinstance(move.effect, Patch) else ()
        who = [(each["op"], each.get("value")) for each in done if "maintainer" in each["path"]]
        return "\n".join(plan_lines(new, plan, seen)), who

    plan, written = deployed("b@x", "a@x")
    assert "changes: maintainer a@x to b@x" in plan and written == [("add", "b@x")]
    plan, written = deployed(None, "a@x")
    assert "changes: maintainer removed" in plan and written == [("remove", None)]
    assert "nothing differs" in deployed("a@x", "a@x")[0] and deployed("a@x", "a@x")[1] == []


def test_who_maintains_it_is_written_where_it_is_kept_true() -> None:
    body = {"application": {"name": "shop", "containers": {"web": {"image": "a:1", "ports": [{"port": 80}]}}}}
    manifest = read(json.dumps({**body, "maintainer": "a@x"}).encode(), "m.json")
    made = planned(manifest, "web", NOTHING, GATEWAY)[0].rendered
    assert made.deployment["metadata"]["annotations"]["docc.dev/maintainer"] == "a@x"
    assert made.route is not None and "a@x" not in json.dumps([made.route, made.front, made.service])
