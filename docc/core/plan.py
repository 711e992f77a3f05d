"""What a driver wants, made ready from a manifest before anything is written: the plan is a value, shown and then followed."""

from __future__ import annotations

from dataclasses import dataclass, field

from docc.core.steps import Step, digest
from docc.model.moves import Object
from docc.model.world import Home


@dataclass(frozen=True, slots=True)
class Rendered:
    """The objects of the candidate's revision as rendered from the manifest; replicas, epoch, owner and record are the
    planner's to fill in. route and service are None for an application without a route."""

    deployment: Object
    front: Object
    service: Object | None = None
    route: Object | None = None


@dataclass(frozen=True, slots=True)
class Limits:
    """Seconds, all of them; the defaults are the manifest's (model/manifest.py)."""

    progress: float
    no_data: float
    baseline: float
    drain: float
    keep_warm: float
    pause: float | None = None


@dataclass(frozen=True, slots=True)
class Plan:
    """candidate: the revision that shall serve. judged: there are failure conditions. excused: conditions not judged.
    home: the rule of others' route that is the application's; None: a route of docc's own, or none. manifest: as it is to be
    kept. recorded: it comes from there, and lacks the environment's values. unfinished: it goes on with what was begun, and
    begins nothing anew that somebody has ended meanwhile. verb, reason: what the record says of why this is done."""

    app: str
    namespace: str
    candidate: int
    spec_hash: str
    scale: int
    steps: tuple[Step, ...]
    rendered: Rendered
    limits: Limits
    judged: bool = False
    excused: tuple[str, ...] = ()
    port: int = 0
    manifest: str = ""
    recorded: bool = False
    unfinished: bool = False
    verb: str = "deploy"
    reason: str = ""
    home: Home | None = None
    sticky: bool = False
    digest: str = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "digest", digest(self.steps, sticky=self.sticky))

    @property
    def routed(self) -> bool:
        return self.rendered.route is not None or self.home is not None

    @property
    def meshed(self) -> bool:
        """The front Service is a parent of the route, so that clients in the mesh see the weights."""
        parents = self.rendered.route["spec"].get("parentRefs") or [] if self.rendered.route else []
        return any(parent.get("kind") == "Service" for parent in parents)
