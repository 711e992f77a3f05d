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
    version: bool = False,
    gateway: Object | None = None,
) -> Foreign:
    """kinds: of KINDS, in the cluster's namespace. lacking: what the user may not do anyway. version: whether the
    server's is wanted. gateway: where it had to be looked at."""
    names = {need.resource: need for need in PREFLIGHT}
    wanted = {kind: names[KINDS[kind].plural] for kind in kinds}
    asked: dict[str, Callable[[], Found]] = {
        kind: _listing(cluster, kind, need) for kind, need in wanted.items() if need not in lacking
    }
    if version:
        asked["version"] = lambda: _version(cluster)
    with ThreadPoolExecutor(REQUESTS_AT_ONCE, thread_name_prefix="preflight") as pool:
        futures = {name: pool.submit(question) for name, question in asked.items()}
        found = {name: future.result() for name, future in futures.items()}
    unseen = [f"you may not {need}" for need in wanted.values() if need in lacking]
    unseen += [why for _, why in found.values() if why]
    if cluster.narrow:
        unseen.append("you may not list httproutes.gateway.networking.k8s.io in other namespaces")
    return Foreign(
        found={**cluster.others, **{kind: found[kind][0] for kind in kinds if kind in found}},
        gateway=gateway,
        version=next((str(body.get("gitVersion", "")) for body in found.get("version", ((), ""))[0]), ""),
        unseen=tuple(unseen),
    )


def _listing(cluster: KubeCluster, kind: str, need: Permission) -> Callable[[], Found]:
    def ask() -> Found:
        request = Request(
            "list",
            f"{KINDS[kind].prefix}/namespaces/{cluster.namespace}/{KINDS[kind].plural}",
            read_seconds=SECONDS_MAX,
        )
        try:
            return cluster.connection.send(request).get("items") or [], ""
        except (UnknownKind, Gone):
            return (), ""
        except CredentialsError:
            return (), f"you may not {need}"
        except DoccError as error:
            return (), f"{need}: {error.what}"

    return ask


def _version(cluster: KubeCluster) -> Found:
    try:
        return [cluster.connection.send(Request("get", "/version", read_seconds=SECONDS_MAX))], ""
    except DoccError as error:
        return (), f"the server's version: {error.what}"
