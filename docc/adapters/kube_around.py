"""model.foreign.Foreign from the API server, in one round: all requests at once, each within a short bound.

A kind that the cluster does not have is none of it. What the user may not list, or what did not answer in time, is named as not
looked at; nothing here ever ends a deploy. What the first look of a wide cluster has put aside costs no request.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from concurrent.futures import ThreadPoolExecutor

from docc.adapters.kube import KINDS, KubeCluster
from docc.adapters.kube_connection import Request
from docc.core.permissions import PREFLIGHT, Permission
from docc.model.errors import CredentialsError, DoccError, Gone, UnknownKind
from docc.model.foreign import Foreign
from docc.model.moves import Object

SECONDS_MAX = 2.0
REQUESTS_AT_ONCE = 8
Found = tuple[Sequence[Object], str]
"""Objects, and why they may not be all."""


def look_around(
    cluster: KubeCluster,
    kinds: Collection[str],
    lacking: Collection[Permission] = (),
    *,
    squatter: str = "",
    version: bool = False,
    gateway: Object | None = None,
) -> Foreign:
    """kinds: of KINDS, in the cluster's namespace. lacking: what the user may not do anyway. squatter: the name of a Deployment
    to be read. version: whether the server's is wanted."""
    names = {need.resource: need for need in PREFLIGHT}
    wanted = {kind: names[KINDS[kind].plural] for kind in kinds}
    asked: dict[str, Callable[[], Found]] = {
        kind: _listing(cluster, kind, need) for kind, need in wanted.items() if need not in lacking
    }
    if squatter:
        asked["squatter"] = lambda: _one(cluster, f"{_collection(cluster, 'Deployment')}/{squatter}", "Deployments")
    if version:
        asked["version"] = lambda: _one(cluster, "/version", "the server's version")
    with ThreadPoolExecutor(REQUESTS_AT_ONCE, thread_name_prefix="preflight") as pool:
        futures = {name: pool.submit(question) for name, question in asked.items()}
        found = {name: future.result() for name, future in futures.items()}
    unseen = [f"you may not {need}" for need in wanted.values() if need in lacking]
    unseen += [why for _, why in found.values() if why]
    if cluster.narrow:
        unseen.append("you may not list httproutes.gateway.networking.k8s.io in other namespaces")
    return Foreign(
        found={**cluster.others, **{kind: found[kind][0] for kind in kinds if kind in found}},
        squatter=next(iter(found.get("squatter", ((), ""))[0]), None),
        gateway=gateway,
        version=next((str(body.get("gitVersion", "")) for body in found.get("version", ((), ""))[0]), ""),
        unseen=tuple(unseen),
    )


def _collection(cluster: KubeCluster, kind: str) -> str:
    return f"{KINDS[kind].prefix}/namespaces/{cluster.namespace}/{KINDS[kind].plural}"


def _listing(cluster: KubeCluster, kind: str, need: Permission) -> Callable[[], Found]:
    def ask() -> Found:
        request = Request("list", _collection(cluster, kind), read_seconds=SECONDS_MAX)
        try:
            return cluster.connection.send(request).get("items") or [], ""
        except (UnknownKind, Gone):
            return (), ""
        except CredentialsError:
            return (), f"you may not {need}"
        except DoccError as error:
            return (), f"{need}: {error.what}"

    return ask


def _one(cluster: KubeCluster, path: str, words: str) -> Found:
    try:
        return [cluster.connection.send(Request("get", path, read_seconds=SECONDS_MAX))], ""
    except Gone:
        return (), ""
    except DoccError as error:
        return (), f"{words}: {error.what}"
