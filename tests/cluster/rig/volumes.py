"""A pod's description made fit for processes: its projected volumes as files, seen by its containers alone, and where the API
server is. What a process of this kind cannot have is named, so that nobody takes its absence for success.

A container gets a mount namespace of its own with an empty /run, and its volumes in it: the machine's files stay untouched.
"""

from __future__ import annotations

import asyncio
import copy
import shutil
from pathlib import Path
from typing import Any

import aiohttp

from docc.sandbox.containers import STANDIN
from tests.cluster.rig.apiclient import AGAIN_SECONDS, ApiClient, ApiError
from tests.cluster.rig.layout import API_PORT, NODE_ADDRESS

Object = dict[str, Any]
_MOUNT = """mount -t tmpfs pod /run || exit 125
while [ "$1" != -- ]; do mkdir -p "$2" && mount --bind "$1" "$2" || exit 125; shift 2; done
shift; exec "$@"
"""
_API_SERVER = (("KUBERNETES_SERVICE_HOST", NODE_ADDRESS), ("KUBERNETES_SERVICE_PORT", str(API_PORT)))


def unsupported(spec: Object) -> str:
    """What of a pod this node cannot do, in a few words; "" for nothing."""
    if spec.get("initContainers"):
        return "initContainers"
    if spec.get("restartPolicy", "Always") != "Always":
        return f"restartPolicy {spec['restartPolicy']}"
    for volume in spec.get("volumes") or []:
        if "projected" not in volume:
            return f"volume {volume['name']}: only projected volumes"
    for container in spec["containers"]:
        if any("valueFrom" in variable for variable in container.get("env") or []) or container.get("envFrom"):
            return f"container {container['name']}: env from elsewhere"
        for mount in container.get("volumeMounts") or []:
            if not mount["mountPath"].startswith(("/var/run/", "/run/")):
                return f"container {container['name']}: a mount outside of /run"
    return ""


async def as_processes(api: ApiClient, body: Object, folder: Path) -> Object:
    """The pod with containers that are started in their own mount namespace where they need one. folder: for its volumes.

    Waits for what a volume is made of, as a kubelet does.
    """
    body = copy.deepcopy(body)
    for volume in body["spec"].get("volumes") or []:
        await _fill(api, body, volume, folder / volume["name"])
    for container in body["spec"]["containers"]:
        given = [{"name": name, "value": value} for name, value in _API_SERVER]
        container["env"] = [*given, *(container.get("env") or [])]
        if mounts := container.get("volumeMounts"):
            places = [word for mount in mounts for word in (str(folder / mount["name"]), mount["mountPath"])]
            if not (command := container.get("command")):
                command = list(STANDIN)
                container.pop("args", None)  # they would go to the image's own entry point
            wrapper = ["unshare", "--mount", "--propagation", "private", "sh", "-c", _MOUNT, "sh", *places, "--"]
            container["command"] = [*wrapper, *command]
    return body


def forget(folder: Path) -> None:
    shutil.rmtree(folder, ignore_errors=True)


async def _fill(api: ApiClient, body: Object, volume: Object, folder: Path) -> None:
    folder.mkdir(parents=True, mode=0o755)
    for source in volume["projected"].get("sources") or []:
        for name, text in (await _when_there(api, body, source)).items():
            (folder / name).write_text(text, encoding="utf-8")


async def _when_there(api: ApiClient, body: Object, source: Object) -> dict[str, str]:
    """A new namespace gets its ConfigMap with the authority only after a moment."""
    while True:
        try:
            return await _files(api, body["metadata"], body["spec"], source)
        except (ApiError, aiohttp.ClientError, OSError):
            await asyncio.sleep(AGAIN_SECONDS)


async def _files(api: ApiClient, meta: Object, spec: Object, source: Object) -> dict[str, str]:
    """Name -> text. Knows what the service account's volume is made of."""
    home = f"/api/v1/namespaces/{meta['namespace']}"
    if wanted := source.get("serviceAccountToken"):
        pod = {"apiVersion": "v1", "kind": "Pod", "name": meta["name"], "uid": meta["uid"]}
        asked = {"expirationSeconds": wanted.get("expirationSeconds", 3600), "boundObjectRef": pod}
        asked |= {"audiences": [wanted["audience"]]} if wanted.get("audience") else {}
        path = f"{home}/serviceaccounts/{spec['serviceAccountName']}/token"
        answer = await api.post(path, {"spec": asked})
        return {wanted["path"]: answer["status"]["token"]}
    if wanted := source.get("configMap"):
        data = (await api.get(f"{home}/configmaps/{wanted['name']}"))["data"]
        return {item["path"]: data[item["key"]] for item in wanted.get("items") or []}
    items = (source.get("downwardAPI") or {}).get("items") or []
    return {item["path"]: str(meta[item["fieldRef"]["fieldPath"].removeprefix("metadata.")]) for item in items}
