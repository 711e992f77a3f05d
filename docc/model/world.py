"""What was seen of one application in the cluster, in the planner's nouns. core/observation.py makes it from objects."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from docc.model.moves import Object
from docc.model.record import ANNOTATION, Record


@dataclass(frozen=True, slots=True)
class Objects:
    """The application's objects as on the wire, each by name; a snapshot that nobody changes afterwards."""

    route: Object | None = None
    deployments: Mapping[str, Object] = field(default_factory=dict)
    services: Mapping[str, Object] = field(default_factory=dict)
    slices: Mapping[str, Object] = field(default_factory=dict)
    pods: Mapping[str, Object] = field(default_factory=dict)
    history: Object | None = None


@dataclass(frozen=True, slots=True)
class Home:
    """Where an application's traffic is divided. route: the HTTPRoute's name. rule: as in Routed."""

    route: str
    rule: str | None = None


@dataclass(frozen=True, slots=True)
class Routed:
    """The object that carries traffic and record: the HTTPRoute, or the front Service of an application without a route.

    name: "" as the application's. rule: of a route that others own, the name of docc's one rule ("" for the only one); None:
    the object is docc's. annotation: what the record is kept in. has_rule: a rule of docc's is there. others_serve: one of
    them sends requests to somebody else's backends too.
    weights: percent by revision, in the first rule that names one; {} before the first. agrees: all rules that name
    revisions have the same. accepted: what every parent's controller says of this generation; None: nothing (yet).
    read: the generation that all of them have read, if they tell, and by which of them it is not a newer one.
    """

    kind: Literal["HTTPRoute", "Service"]
    exists: bool = False
    name: str = ""
    rule: str | None = None
    annotation: str = ANNOTATION
    has_rule: bool = True
    others_serve: bool = False
    generation: int = 0
    resource_version: str = ""
    record_text: str | None = None
    has_annotations: bool = False
    record: Record | None = None
    unreadable: str = ""
    weights: Mapping[int, int] = field(default_factory=dict)
    agrees: bool = True
    has_parents: bool = False
    above: bool = False
    accepted: bool | None = None
    refusal: str = ""
    read: tuple[int, str] | None = None
    body: Object = field(default_factory=dict)

    @property
    def foreign(self) -> bool:
        """The route is somebody else's, and docc's is one rule of it."""
        return self.rule is not None


@dataclass(frozen=True, slots=True)
class Trouble:
    """Why a revision's pods are not ready, in words. fatal: waiting cannot help. pod, container: whose log tells more,
    that of the run that ended if it crashed."""

    why: str
    fatal: bool = False
    pod: str = ""
    container: str = ""
    crashed: bool = False


@dataclass(frozen=True, slots=True)
class Revision:
    """One revision's Deployment, Service and pods. ready: pods that can serve now: ready and, where a Service exists, in its
    endpoints. available: those of them that have been so for minReadySeconds, and may get more traffic. crashed_at:
    unix seconds of the newest crash of a container of a living pod; crash says how. manifest: as it was last deployed, ""
    where it is not known. maintainer: as annotated. images: by container. service_born: unix seconds, whole ones. port: of its
    Service, for requests; 0 where there is none. squatter: an
    object of the revision's name that docc did not make."""

    number: int
    exists: bool = False
    uid: str = ""
    version: str = ""
    manifest: str = ""
    maintainer: str | None = None
    images: Mapping[str, str] = field(default_factory=dict)
    spec_hash: str = ""
    epoch: str | None = None
    replicas: int = 0
    available: int = 0
    ready: int = 0
    service_uid: str = ""
    service_version: str = ""
    service_epoch: str | None = None
    has_service: bool = False
    service_born: float | None = None
    port: int = 0
    crashed_at: float | None = None
    crash: str = ""
    trouble: Trouble | None = None
    squatter: str = ""


@dataclass(frozen=True, slots=True)
class Front:
    """The front Service. selects: the revision in its selector, None when it selects none of docc's. ready: pods behind it that
    can serve now."""

    exists: bool = False
    selects: int | None = None
    ready: int = 0
    epoch: str | None = None
    has_annotations: bool = False
    foreign: bool = False
    body: Object = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Noted:
    """The history as kept: the text of each entry by its number. has_data: the object's data are there to be added to. uid: the
    object's."""

    exists: bool = False
    foreign: bool = False
    has_data: bool = False
    uid: str = ""
    entries: Mapping[int, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Seen:
    routed: Routed
    revisions: Mapping[int, Revision] = field(default_factory=dict)
    front: Front = Front()
    noted: Noted = Noted()

    @property
    def record(self) -> Record | None:
        return self.routed.record

    def revision(self, number: int | None) -> Revision:
        if number is None:
            return Revision(0)
        return self.revisions.get(number, Revision(number))
