"""engine.ports.Cluster over a Connection: one namespace, a few kinds, everything that is looked at often kept by watches.

The first observe() lists, then watches follow; what this process writes is known from the write's own answer, and an older
version that a watch or a list delivers late never replaces a newer one, nor brings back what was deleted. After a Conflict
the object is read afresh before anybody looks again, so that a driver does not repeat itself on a stale view.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial

from docc.adapters.kube_connection import Connection, Request
from docc.adapters.kube_errors import is_object, misshapen
from docc.adapters.kube_watch import Watch
from docc.adapters.patience import Asked
from docc.core.home import home_of
from docc.core.names import history_name
from docc.model.errors import Conflict, CredentialsError, DoccError, Gone, Unreachable, UnusableError
from docc.model.moves import Create, Delete, Object, Patch, Ref
from docc.model.world import Objects


@dataclass(frozen=True, slots=True)
class Kind:
    prefix: str
    plural: str
    watched: bool = False


KINDS: Mapping[str, Kind] = {
    "HTTPRoute": Kind("/apis/gateway.networking.k8s.io/v1", "httproutes", watched=True),
    "Gateway": Kind("/apis/gateway.networking.k8s.io/v1", "gateways"),
    "Deployment": Kind("/apis/apps/v1", "deployments", watched=True),
    "Service": Kind("/api/v1", "services", watched=True),
    "EndpointSlice": Kind("/apis/discovery.k8s.io/v1", "endpointslices", watched=True),
    "Pod": Kind("/api/v1", "pods", watched=True),
    "ConfigMap": Kind("/api/v1", "configmaps"),
    "Event": Kind("/api/v1", "events"),
    "Lease": Kind("/apis/coordination.k8s.io/v1", "leases"),
    "ResourceQuota": Kind("/api/v1", "resourcequotas"),
    "HorizontalPodAutoscaler": Kind("/apis/autoscaling/v2", "horizontalpodautoscalers"),
    "PodDisruptionBudget": Kind("/apis/policy/v1", "poddisruptionbudgets"),
    "DestinationRule": Kind("/apis/networking.istio.io/v1", "destinationrules"),
    "AuthorizationPolicy": Kind("/apis/security.istio.io/v1", "authorizationpolicies"),
}
_KEPT = ("Deployment", "HTTPRoute", "Service", "EndpointSlice", "Pod", "ConfigMap")
_WIDE = ("HTTPRoute", "Deployment", "Service")
_WRITE = {"fieldManager": "docc", "fieldValidation": "Strict"}


class KubeCluster:
    """ring: called whenever the kept objects have changed. watching: False for who looks once. wide: the first look
    takes in other people's Deployments and Services of the namespace, and routes of the cluster, in the same requests;
    they are put aside in `others`."""

    def __init__(
        self,
        connection: Connection,
        namespace: str,
        ring: Callable[[], None] = lambda: None,
        *,
        wide: bool = False,
        watching: bool = True,
    ) -> None:
        self.connection, self.namespace, self._ring = connection, namespace, ring
        self._wide, self._watching = wide, watching
        self.others: dict[str, list[Object]] = {}
        self.narrow = ""  # why routes of other namespaces are not among the others
        self._lock = threading.Lock()
        self._kept: dict[str, dict[str, Object]] = {}
        self._stale: set[Ref] = set()
        self._deleted: set[str] = set()  # uids
        self._app = ""
        self.route = ""
        """The name of the application's HTTPRoute; "": as its newest revision says."""
        self.looked: Callable[[Objects], None] = lambda objects: None
        """Called with each look, by whoever looks; must not raise."""
        self._watches: list[Watch] = []

    # --- engine.ports.Cluster
    def observe(self, app: str) -> Objects:
        if not self._kept:
            self._begin(app)
        for ref in tuple(self._stale):
            self._refresh(ref)
        return self._objects(app)

    def _objects(self, app: str) -> Objects:
        with self._lock:
            kept = {kind: dict(objects) for kind, objects in self._kept.items()}
        found = Objects(
            kept["HTTPRoute"].get(self.route), kept["Deployment"], kept["Service"], kept["EndpointSlice"], kept["Pod"],
            kept["ConfigMap"].get(history_name(app)),
        )  # fmt: skip
        self.looked(found)
        return found

    def create(self, effect: Create) -> Object:
        path = self._path(effect.ref.kind)
        try:
            return self._write(effect.ref, Request("create", path, _WRITE, effect.body))
        except Gone as error:
            raise self._no_namespace() from error

    def patch(self, effect: Patch) -> Object:
        path = self._path(effect.ref.kind, effect.ref.name)
        return self._write(effect.ref, Request("patch", path, _WRITE, list(effect.operations), "json-patch+json"))

    def delete(self, effect: Delete) -> None:
        preconditions = {"uid": effect.uid, "resourceVersion": effect.resource_version}
        body = {"apiVersion": "v1", "kind": "DeleteOptions", "preconditions": preconditions}
        try:
            self.connection.send(Request("delete", self._path(effect.ref.kind, effect.ref.name), body=body))
        except Gone:
            pass
        except (Conflict, Unreachable):
            self._stale.add(effect.ref)
            raise
        with self._lock:
            self._deleted.add(effect.uid)
            known = self._kept.get(effect.ref.kind, {}).get(effect.ref.name)
            if known is not None and known["metadata"].get("uid") == effect.uid:
                del self._kept[effect.ref.kind][effect.ref.name]

    def read(self, ref: Ref) -> Object | None:
        try:
            found = self._object(Request("get", self._path(ref.kind, ref.name)))
        except Gone:
            return None
        self.keep(ref.kind, found)
        return found

    def _object(self, request: Request) -> Object:
        found = self.connection.send(request)
        if not is_object(found):
            raise misshapen(self.connection.server, f"{request.verb} {request.path}")
        return found

    def logs(self, pod: str, container: str, previous: bool, lines: int) -> str:
        query = {"container": container, "tailLines": str(lines), "previous": "true" if previous else "false"}
        try:
            return self.connection.text(Request("get", self._path("Pod", pod) + "/log", query))
        except DoccError:
            return ""

    def events(self, name: str) -> tuple[Object, ...]:
        query = {"fieldSelector": f"involvedObject.name={name}"}
        try:
            items = self.connection.send(Request("list", self._path("Event"), query)).get("items") or []
        except DoccError:
            return ()
        return tuple(sorted(items, key=lambda e: str(e.get("lastTimestamp") or e["metadata"].get("creationTimestamp"))))

    # --- beyond the port
    def remembered(self, app: str) -> Objects | None:
        """As last seen, however long ago, for when nobody answers any more; None if they never were."""
        return self._objects(app) if self._kept else None

    def find(self, kind: str, *, everywhere: bool = False, labels: str = "") -> list[Object]:
        """All objects of a kind, in this namespace or in all."""
        path = f"{KINDS[kind].prefix}/{KINDS[kind].plural}" if everywhere else self._path(kind)
        query = {"labelSelector": labels} if labels else {}
        found: list[Object] = self.connection.send(Request("list", path, query)).get("items") or []
        return found

    def rehearse(self, effect: Create) -> Object:
        """A create that is admitted or refused as any, and not stored (dryRun=All)."""
        return self.connection.send(
            Request("create", self._path(effect.ref.kind), {**_WRITE, "dryRun": "All"}, effect.body)
        )

    def namespace_labels(self) -> dict[str, str]:
        """Raises UnusableError if the namespace does not exist."""
        try:
            found = self._object(Request("get", f"/api/v1/namespaces/{self.namespace}"))
        except Gone as error:
            raise self._no_namespace() from error
        return dict(found["metadata"].get("labels") or {})

    def _no_namespace(self) -> UnusableError:
        fix = f"kubectl create namespace {self.namespace}"
        return UnusableError(f'namespace "{self.namespace}" does not exist', state="nothing was touched", fix=fix)

    def version(self) -> Object:
        return self.connection.send(Request("get", "/version"))

    def close(self) -> None:
        for watch in self._watches:
            watch.stop()

    # --- keeping
    def _begin(self, app: str) -> None:
        self._app = app
        kept: dict[str, dict[str, Object]] = {}
        listings = self._first_lists()
        for kind, listing in listings.items():
            items = listing.get("items") or []
            if self._wide and kind in _WIDE:
                self.others[kind] = [item for item in items if not self._is_kept(kind, item)]
                items = [item for item in items if self._is_kept(kind, item)]
            kept[kind] = {item["metadata"]["name"]: item for item in items}
        self._kept = kept
        for kind, listing in listings.items() if self._watching else ():
            version = str(listing.get("metadata", {}).get("resourceVersion", ""))
            if KINDS[kind].watched and version:
                collection = (self._path(kind), self._selects(kind, self.route))
                watch = Watch(self.connection, collection, version, _Keeper(self, kind))
                self._watches.append(watch)
                watch.start()

    def _first_lists(self) -> dict[str, Object]:
        """All at once: a slow server is waited for once. The route has the application's name, or that which the Deployments
        then tell. Raises what is wrong with the first of them."""
        guess = self.route or self._app
        asked = {kind: Asked(partial(self._first_list, kind, guess)) for kind in _KEPT}
        found = {"Deployment": asked["Deployment"].result()}
        named = {item["metadata"]["name"]: item for item in found["Deployment"].get("items") or []}
        mine = {name: item for name, item in named.items() if self._is_kept("Deployment", item)}
        self.route = self.route or home_of(self._app, mine).route
        for kind in _KEPT:
            found[kind] = asked[kind].result()
        if self.route != guess and not self._wide:
            found["HTTPRoute"] = self._first_list("HTTPRoute", self.route)
        return found

    def _first_list(self, kind: str, route: str) -> Object:
        """Who may not list the routes of all namespaces looks at those of his own. Without Gateway API there are none:
        applications without a route still work."""
        try:
            if not self._wide or kind not in _WIDE:
                return self.connection.send(Request("list", self._path(kind), self._selects(kind, route)))
            if kind == "HTTPRoute":
                try:
                    return self.connection.send(Request("list", f"{KINDS[kind].prefix}/{KINDS[kind].plural}"))
                except CredentialsError as error:
                    self.narrow = error.why
            return self.connection.send(Request("list", self._path(kind)))
        except UnusableError:
            if kind != "HTTPRoute":
                raise
            return {"items": []}

    def _is_kept(self, kind: str, item: Object) -> bool:
        """What a list and a watch by _selects would have."""
        meta = item["metadata"]
        if kind == "HTTPRoute":
            return (meta.get("namespace", self.namespace), meta["name"]) == (self.namespace, self.route)
        return (meta.get("labels") or {}).get("docc.dev/app") == self._app

    def _selects(self, kind: str, route: str) -> dict[str, str]:
        if kind == "HTTPRoute":
            return {"fieldSelector": f"metadata.name={route}"}
        return {"labelSelector": f"docc.dev/app={self._app}"}

    def keep(self, kind: str, body: Object) -> None:
        """Remembers an object unless a newer version of it is known, or that it was deleted."""
        name = body["metadata"]["name"]
        with self._lock:
            if kind not in self._kept or body["metadata"].get("uid") in self._deleted:
                return
            known = self._kept[kind].get(name)
            if known is not None and _version(known) > _version(body):
                return
            self._kept[kind][name] = body
        self._ring()

    def forget(self, kind: str, body: Object) -> None:
        with self._lock:
            known = self._kept.get(kind, {}).get(body["metadata"]["name"])
            if known is not None and known["metadata"].get("uid") == body["metadata"].get("uid"):
                del self._kept[kind][body["metadata"]["name"]]
        self._ring()

    def replace(self, kind: str, items: list[Object], version: int) -> None:
        """By a list of that version: what this process has written since then stays."""
        with self._lock:
            found = {
                item["metadata"]["name"]: item for item in items if item["metadata"].get("uid") not in self._deleted
            }
            newer = {name: known for name, known in self._kept[kind].items() if _version(known) > version > 0}
            self._kept[kind] = {**found, **newer}
        self._ring()

    def _write(self, ref: Ref, request: Request) -> Object:
        try:
            answer = self._object(request)
        except (Conflict, Gone, Unreachable):
            self._stale.add(ref)
            raise
        self.keep(ref.kind, answer)
        return answer

    def _refresh(self, ref: Ref) -> None:
        if ref.kind not in self._kept:
            self._stale.discard(ref)
            return
        if self.read(ref) is None:
            with self._lock:
                self._kept[ref.kind].pop(ref.name, None)
        self._stale.discard(ref)

    def _path(self, kind: str, name: str = "") -> str:
        path = f"{KINDS[kind].prefix}/namespaces/{self.namespace}/{KINDS[kind].plural}"
        return f"{path}/{name}" if name else path


class _Keeper:
    """What a watch tells, put into the cluster's kept objects."""

    def __init__(self, cluster: KubeCluster, kind: str) -> None:
        self._cluster, self._kind = cluster, kind

    def changed(self, body: Object) -> None:
        self._cluster.keep(self._kind, body)

    def deleted(self, body: Object) -> None:
        self._cluster.forget(self._kind, body)

    def replaced(self, items: list[Object], version: str) -> None:
        self._cluster.replace(self._kind, items, int(version) if version.isdigit() else 0)


def _version(body: Object) -> int:
    """resourceVersions of one kind compare as integers (Kubernetes since 1.35 says so; before, it was so)."""
    text = str(body["metadata"].get("resourceVersion", "0"))
    return int(text) if text.isdigit() else 0
