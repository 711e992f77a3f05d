"""A running cluster as tests use it: its API as any user, traffic, metrics, and what its logs tell. Synchronous.

Everything here works only inside the cluster's network (session.inside).
"""

from __future__ import annotations

import itertools
import json
import ssl
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import httpx

from tests.cluster.rig import layout
from tests.cluster.rig.credentials import token_of, write_kubeconfig
from tests.cluster.rig.layout import Layout
from tests.cluster.rig.session import Session

Object = dict[str, Any]
UNTIL_SECONDS = 150.0
"""On a machine that has other things to do a process may take a minute to begin."""
AGENT = "rig-tests"
_GROUPS = {
    "deployments": "/apis/apps/v1", "replicasets": "/apis/apps/v1",
    "httproutes": "/apis/gateway.networking.k8s.io/v1", "gateways": "/apis/gateway.networking.k8s.io/v1",
    "endpointslices": "/apis/discovery.k8s.io/v1", "leases": "/apis/coordination.k8s.io/v1",
    "roles": "/apis/rbac.authorization.k8s.io/v1", "rolebindings": "/apis/rbac.authorization.k8s.io/v1",
    "clusterroles": "/apis/rbac.authorization.k8s.io/v1", "clusterrolebindings": "/apis/rbac.authorization.k8s.io/v1",
}  # fmt: skip
_READY = {"kube-apiserver": f"{layout.API_URL}/readyz", "istiod": layout.ISTIOD_READY_URL}
_NAMES = itertools.count()


class Refused(AssertionError):
    """The API server's answer was not a good one."""

    def __init__(self, answer: httpx.Response) -> None:
        self.code, self.message = answer.status_code, _message(answer)
        super().__init__(f"{answer.request.method} {answer.request.url.path}: {self.code} {self.message}")


class Api:
    """The Kubernetes API as the user of one kubeconfig."""

    def __init__(self, kubeconfig: Path, certificate: Path, agent: str = AGENT) -> None:
        headers = {"Authorization": f"Bearer {token_of(kubeconfig)}", "User-Agent": agent}
        verify = ssl.create_default_context(cafile=str(certificate))
        self._settings: Object = {"base_url": layout.API_URL, "headers": headers, "verify": verify, "trust_env": False}
        self._http = httpx.Client(timeout=30, **self._settings)

    def streaming(self, silence_seconds: float = 2.0) -> httpx.Client:
        """A client of its own for watches, to be closed; a stream that is silent for so long raises httpx.ReadTimeout."""
        return httpx.Client(timeout=httpx.Timeout(30, read=silence_seconds), **self._settings)

    def close(self) -> None:
        self._http.close()

    def get(self, plural: str, namespace: str, name: str) -> Object:
        return self.send("GET", path(plural, namespace, name))

    def list(self, plural: str, namespace: str, labels: str = "") -> list[Object]:
        found: list[Object] = self.send("GET", path(plural, namespace), params={"labelSelector": labels})["items"]
        return found

    def create(self, plural: str, namespace: str, body: Object) -> Object:
        return self.send("POST", path(plural, namespace), json=body)

    def patch(self, plural: str, namespace: str, name: str, body: Object) -> Object:
        """A merge patch."""
        form = {"Content-Type": "application/merge-patch+json"}
        return self.send("PATCH", path(plural, namespace, name), content=json.dumps(body), headers=form)

    def delete(self, plural: str, namespace: str, name: str = "", grace_seconds: int | None = None) -> None:
        """Without a name: all of them."""
        options = {} if grace_seconds is None else {"gracePeriodSeconds": grace_seconds}
        self.send("DELETE", path(plural, namespace, name), json={"propagationPolicy": "Background", **options})

    def log(self, namespace: str, pod: str, **query: str) -> str:
        answer = self._http.get(path("pods", namespace, pod) + "/log", params=query)
        if answer.status_code != 200:
            raise Refused(answer)
        return answer.text

    def send(self, method: str, where: str, **request: Any) -> Object:
        """Raises Refused."""
        answer = self._http.request(method, where, **request)
        if answer.status_code >= 400:
            raise Refused(answer)
        found: Object = answer.json()
        return found


def _message(answer: httpx.Response) -> str:
    try:
        return str(answer.json()["message"])
    except (ValueError, KeyError, TypeError):
        return answer.text


def path(plural: str, namespace: str, name: str = "") -> str:
    """namespace "": for what is in none."""
    home = f"/namespaces/{namespace}" if namespace else ""
    return f"{_GROUPS.get(plural, '/api/v1')}{home}/{plural}" + (f"/{name}" if name else "")


class Cluster:
    def __init__(self, session: Session) -> None:
        self.session, self.layout = session, Layout(session.folder)
        self.admin = self.api(Path(session.kubeconfig))
        self._past: dict[Path, int] = {}

    def close(self) -> None:
        self.admin.close()

    def api(self, kubeconfig: Path, agent: str = AGENT) -> Api:
        return Api(kubeconfig, self.layout.certificate, agent)

    def until(self, condition: Callable[[], Any], seconds: float = UNTIL_SECONDS) -> Any:
        """The condition's first true value. Raises AssertionError with its last one."""
        limit = time.monotonic() + seconds
        while not (value := condition()):
            assert time.monotonic() < limit, f"not within {seconds:.0f} s: {value!r}"
            time.sleep(0.1)
        return value

    # --- what may go away
    def restart(self, component: str, down: float) -> None:
        """kube-apiserver or istiod is killed within a tenth of a second, begins anew so many seconds later, and answers when
        this returns."""
        order = self.layout.restart(component)
        written = order.with_name(f"new.{order.name}")
        written.write_text(f"{down}", encoding="utf-8")
        written.rename(order)  # whole at once
        self.until(lambda: not order.exists())
        trust = ssl.create_default_context(cafile=str(self.layout.certificate))
        self.until(lambda: _answers(_READY[component], trust))

    # --- namespaces and users
    def make_namespace(self, prefix: str) -> str:
        """With a name of its own, and with what pods need before they can be made."""
        name = f"{prefix}-{time.time_ns() // 1_000_000:x}-{next(_NAMES)}"
        self.admin.create("namespaces", "", {"metadata": {"name": name}})
        self.until(lambda: any(a["metadata"]["name"] == "default" for a in self.admin.list("serviceaccounts", name)))
        return name

    def forget_logs(self) -> None:
        """What the logs tell so far is of no interest any more: a long suite's are long."""
        for file in (self.layout.audit_log, *self._access_logs):
            self._past[file] = file.stat().st_size if file.exists() else 0

    def delete_namespace(self, name: str) -> None:
        """Its pods get no grace, and are gone when this returns; the rest goes in the background."""
        self.admin.delete("deployments", name)
        self.until(lambda: not self.admin.list("replicasets", name))
        self.admin.delete("pods", name, grace_seconds=0)
        self.until(lambda: not self.admin.list("pods", name))
        self.admin.delete("namespaces", "", name)

    def service_account(
        self, namespace: str, name: str, rules: Sequence[Object] = (), cluster_rules: Sequence[Object] = ()
    ) -> Path:
        """The kubeconfig of a new ServiceAccount that may do what the rules of its Role and ClusterRole say."""
        self.admin.create("serviceaccounts", namespace, {"metadata": {"name": name}})
        subjects = [{"kind": "ServiceAccount", "namespace": namespace, "name": name}]
        whole = f"{namespace}-{name}"
        for kind, where, called, granted in (
            ("Role", namespace, name, rules),
            ("ClusterRole", "", whole, cluster_rules),
        ):
            if granted:
                meta = {"metadata": {"name": called}}
                self.admin.create(f"{kind.lower()}s", where, {**meta, "rules": list(granted)})
                ref = {"apiGroup": "rbac.authorization.k8s.io", "kind": kind, "name": called}
                self.admin.create(f"{kind.lower()}bindings", where, {**meta, "roleRef": ref, "subjects": subjects})
        answer = self.admin.send("POST", path("serviceaccounts", namespace, name) + "/token", json={"spec": {}})
        kubeconfig = self.layout.folder / f"{whole}.kubeconfig"
        return write_kubeconfig(self.layout, kubeconfig, answer["status"]["token"], namespace)

    # --- workloads
    def deploy(
        self, namespace: str, name: str, image: str, *, replicas: int = 1, pod: Object | None = None, **container: Any
    ) -> None:
        """A Deployment and its Service, both called `name`; the container listens on port 8080 unless told otherwise."""
        labels = {"app": name}
        whole = {"name": "web", "image": image, "ports": [{"containerPort": 8080}], **container}
        spec = {"automountServiceAccountToken": False, "containers": [whole], **(pod or {})}
        template = {"metadata": {"labels": labels}, "spec": spec}
        deployment = {"replicas": replicas, "selector": {"matchLabels": labels}, "template": template}
        self.admin.create("deployments", namespace, {"metadata": {"name": name}, "spec": deployment})
        ports = [{"port": 80, "targetPort": 8080, "appProtocol": "http"}]
        self.admin.create(
            "services", namespace, {"metadata": {"name": name}, "spec": {"selector": labels, "ports": ports}}
        )

    def pods(self, namespace: str, name: str) -> list[Object]:
        return self.admin.list("pods", namespace, f"app={name}")

    def ready(self, namespace: str, name: str) -> bool:
        """As many pods as wanted are ready, and no others are left."""
        found = self.admin.get("deployments", namespace, name)
        count, wanted = found["status"].get("readyReplicas", 0), found["spec"]["replicas"]
        return bool(count == wanted == len(self.pods(namespace, name)))

    def route(
        self, namespace: str, name: str, weights: Mapping[str, int], parents: Sequence[Object] | None = None
    ) -> None:
        """A route of the host NAME.NAMESPACE, at the Gateway unless told otherwise; an existing one is changed."""
        backends = [{"name": backend, "port": 80, "weight": weight} for backend, weight in weights.items()]
        spec: Object = {"rules": [{"backendRefs": backends}]}
        if any(route["metadata"]["name"] == name for route in self.admin.list("httproutes", namespace)):
            self.admin.patch("httproutes", namespace, name, {"spec": spec})
            return
        spec["parentRefs"] = parents or [{"name": layout.GATEWAY_NAME, "namespace": layout.INGRESS}]
        spec |= {} if parents else {"hostnames": [f"{name}.{namespace}"]}
        meta = {"apiVersion": "gateway.networking.k8s.io/v1", "kind": "HTTPRoute", "metadata": {"name": name}}
        self.admin.create("httproutes", namespace, {**meta, "spec": spec})

    # --- traffic and what is known of it
    def fetch(self, host: str, count: int = 1, tag: str = "", **headers: str) -> Counter[tuple[int, str]]:
        """(status, version) of so many requests through the Gateway, each on a connection of its own."""
        return _fetch(f"http://{self.session.gateway}/", count, {"Host": host, "X-Request-Tag": tag, **headers}, None)

    def fetch_in_mesh(self, host: str, count: int = 1) -> Counter[tuple[int, str]]:
        """The same through the sidecar of the client in the mesh."""
        return _fetch(f"http://{host}/", count, {}, self.session.mesh_proxy)

    def query(self, promql: str) -> list[Object]:
        answer = httpx.get(f"{self.session.prometheus}/api/v1/query", params={"query": promql}, trust_env=False)
        found: list[Object] = answer.raise_for_status().json()["data"]["result"]
        return found

    def audit(self, agent: str = "", namespace: str = "", verb: str = "") -> list[Object]:
        """What the API server was asked, oldest first; an entry may come a moment after the answer. agent: how it begins."""
        return [
            entry
            for entry in self._rows(self.layout.audit_log, agent, namespace)
            if entry.get("userAgent", "").startswith(agent)
            and namespace in ("", (entry.get("objectRef") or {}).get("namespace"))
            and verb in ("", entry["verb"])
        ]

    def access_log(self, host: str) -> list[Object]:
        """What both Envoys were asked for this host, the Gateway's first. They write with a delay of a tenth of a second."""
        rows = (row for file in self._access_logs for row in self._rows(file, host))
        return [row for row in rows if row.get("host") == host]

    @property
    def _access_logs(self) -> tuple[Path, ...]:
        return self.layout.access_log(layout.INGRESS), self.layout.access_log(layout.MESH)

    def _rows(self, file: Path, *words: str) -> Iterator[Object]:
        """The whole lines of a file that is being written, of which only those with all the words are worth reading."""
        if not file.exists():
            return
        wanted, past = [word.encode() for word in words], self._past.get(file, 0)
        with file.open("rb") as log:
            log.seek(
                max(0, past - 1)
            )  # with the end of the last line: what stands before the first one here is no whole line
            rows = log.read().split(b"\n")
        for row in rows[bool(past) : -1]:
            if all(word in row for word in wanted):
                yield json.loads(row)


def _answers(url: str, trust: ssl.SSLContext) -> bool:
    try:
        return httpx.get(url, verify=trust, trust_env=False).status_code == 200
    except httpx.TransportError:
        return False


def _fetch(url: str, count: int, headers: Mapping[str, str], proxy: str | None) -> Counter[tuple[int, str]]:
    found: Counter[tuple[int, str]] = Counter()
    with httpx.Client(proxy=proxy, trust_env=False, headers={**headers, "Connection": "close"}) as http:
        for _ in range(count):
            answer = http.get(url)
            found[(answer.status_code, answer.headers.get("x-version", ""))] += 1
    return found
