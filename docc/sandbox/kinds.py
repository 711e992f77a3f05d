"""The kinds that the sandbox speaks, and the fields of each that it knows. A field that is not here is refused: the sandbox
would otherwise pretend to honour it. Fields that change nothing here, and do no harm, are marked `inert`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

Schema = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Kind:
    """generation: the kind counts the changes of what is wanted. unconditional: a PUT needs no resourceVersion."""

    group: str
    version: str
    kind: str
    plural: str
    schema: Schema
    namespaced: bool = True
    has_status: bool = False
    generation: bool = False
    unconditional: bool = True

    @property
    def resource(self) -> str:
        """As the API server names it in its refusals: deployments.apps."""
        return f"{self.plural}.{self.group}" if self.group else self.plural

    @property
    def api_version(self) -> str:
        return f"{self.group}/{self.version}" if self.group else self.version


def obj(required: tuple[str, ...] = (), **fields: Schema) -> Schema:
    return {"type": "object", "additionalProperties": False, "properties": fields, "required": list(required)}


def many(item: Schema, maximum: int | None = None) -> Schema:
    return {"type": "array", "items": item, **({"maxItems": maximum} if maximum else {})}


def mapping(value: Schema) -> Schema:
    return {"type": "object", "additionalProperties": value}


def integer(low: int = 0, high: int = 2**31 - 1) -> Schema:
    return {"type": "integer", "minimum": low, "maximum": high}


def one_of(*values: str) -> Schema:
    return {"enum": list(values)}


text: Schema = {"type": "string"}
flag: Schema = {"type": "boolean"}
inert: Schema = {}
number_or_text: Schema = {"type": ["integer", "string"]}
port_or_name: Schema = {**number_or_text, "minimum": 1, "maximum": 65535}
strings = mapping(text)
name_of_object: Schema = {"type": "string", "pattern": r"^[a-z0-9]([-.a-z0-9]*[a-z0-9])?\Z", "maxLength": 253}
port_number = integer(1, 65535)
micro_time: Schema = {"type": "string", "format": "micro-time"}
hostname: Schema = {
    "type": "string",
    "pattern": r"^(\*\.)?[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*\Z",
    "maxLength": 253,
}

METADATA = obj(
    name=name_of_object, generateName=text, namespace=text, labels=strings, annotations=strings, uid=text,
    resourceVersion=text, generation=integer(), creationTimestamp=text, deletionTimestamp=text,
    deletionGracePeriodSeconds=integer(), finalizers=many(text), managedFields=inert,
    ownerReferences=many(obj(("apiVersion", "kind", "name", "uid"), apiVersion=text, kind=text, name=text, uid=text,
                             controller=flag, blockOwnerDeletion=flag)),
)  # fmt: skip

_probe = obj(
    httpGet=obj(("port",), path=text, port=port_or_name, scheme=one_of("HTTP"), host=text,
                httpHeaders=many(obj(name=text, value=text))),
    tcpSocket=obj(("port",), port=port_or_name, host=text),
    initialDelaySeconds=integer(), periodSeconds=integer(1), timeoutSeconds=integer(1), failureThreshold=integer(1),
    successThreshold=integer(1), terminationGracePeriodSeconds=integer(1),
)  # fmt: skip
_container = obj(
    ("name", "image"),
    name=text, image={"type": "string", "minLength": 1}, imagePullPolicy=inert, command=many(text), args=many(text),
    env=many(obj(("name",), name=text, value=text)),
    ports=many(obj(("containerPort",), name={"type": "string", "maxLength": 15}, containerPort=port_number,
                   protocol=one_of("TCP", "UDP"))),
    readinessProbe=_probe, livenessProbe=_probe, startupProbe=_probe,
    lifecycle=obj(preStop=obj(sleep=obj(("seconds",), seconds=integer()))),
    resources=inert, securityContext=inert, terminationMessagePath=inert, terminationMessagePolicy=inert,
)  # fmt: skip
POD_SPEC = obj(
    ("containers",),
    containers={**many(_container), "minItems": 1}, terminationGracePeriodSeconds=integer(), restartPolicy=one_of("Always"),
    automountServiceAccountToken=inert, securityContext=inert, dnsPolicy=inert, schedulerName=inert, nodeName=text,
    serviceAccountName=inert, serviceAccount=inert,
)  # fmt: skip
_label_selector = obj(matchLabels=strings)

DEPLOYMENT = obj(
    ("selector", "template"),
    replicas=integer(), selector=_label_selector, minReadySeconds=integer(), progressDeadlineSeconds=integer(1),
    revisionHistoryLimit=inert, paused=flag,
    strategy=obj(type=one_of("RollingUpdate"), rollingUpdate=obj(maxUnavailable=number_or_text, maxSurge=number_or_text)),
    template=obj(("spec",), metadata=obj(labels=strings, annotations=strings, creationTimestamp=inert), spec=POD_SPEC),
)  # fmt: skip
SERVICE = obj(
    selector=strings, clusterIP=text, clusterIPs=many(text), type=one_of("ClusterIP"), sessionAffinity=inert,
    ipFamilies=inert, ipFamilyPolicy=inert, internalTrafficPolicy=inert, publishNotReadyAddresses=flag,
    ports=many(obj(("port",), name=text, port=port_number, targetPort={**port_or_name, "minimum": 0},
                   protocol=one_of("TCP", "UDP"), appProtocol=text)),
)  # fmt: skip

_header_edit = obj(
    set=many(obj(("name", "value"), name=text, value=text)), add=many(obj(("name", "value"), name=text, value=text)),
    remove=many(text),
)  # fmt: skip
_filter = obj(
    ("type",),
    type=one_of("RequestHeaderModifier", "ResponseHeaderModifier"), requestHeaderModifier=_header_edit,
    responseHeaderModifier=_header_edit,
)  # fmt: skip
_matched = obj(("name", "value"), type=one_of("Exact", "RegularExpression"), name=text, value=text)
_backend = obj(
    ("name",),
    group=text, kind=text, name=name_of_object, namespace=text, port=port_number, weight=integer(0, 1_000_000),
    filters=many(_filter, 16),
)  # fmt: skip
_parent = obj(("name",), group=text, kind=text, namespace=text, name=name_of_object, sectionName=text, port=port_number)
HTTP_ROUTE = obj(
    parentRefs=many(_parent, 32),
    hostnames=many(hostname, 16),
    rules=many(obj(
        name=text,
        matches=many(obj(
            path=obj(type=one_of("Exact", "PathPrefix", "RegularExpression"), value=text),
            headers=many(_matched, 16), queryParams=many(_matched, 16),
            method=one_of("GET", "HEAD", "POST", "PUT", "DELETE", "CONNECT", "OPTIONS", "TRACE", "PATCH"),
        ), 64),
        filters=many(_filter, 16), backendRefs=many(_backend, 16), timeouts=obj(request=text, backendRequest=text),
    ), 16),
)  # fmt: skip
_namespaces = obj()
_namespaces["properties"] = {
    "from": one_of("All", "Same", "Selector"),
    "selector": obj(
        matchLabels=strings,
        matchExpressions=many(
            obj(
                ("key", "operator"),
                key=text, operator=one_of("In", "NotIn", "Exists", "DoesNotExist"), values=many(text),
            )
        ),
    ),
}  # fmt: skip
_listener = obj(
    ("name", "port", "protocol"),
    name=name_of_object, hostname=hostname, port=port_number, protocol=one_of("HTTP"),
    allowedRoutes=obj(kinds=many(obj(("kind",), group=text, kind=text)), namespaces=_namespaces),
)  # fmt: skip
GATEWAY = obj(
    ("gatewayClassName", "listeners"),
    gatewayClassName=text, addresses=many(obj(type=text, value=text)), listeners={**many(_listener, 64), "minItems": 1},
)  # fmt: skip
LEASE = obj(
    holderIdentity=text, leaseDurationSeconds=integer(1), acquireTime=micro_time, renewTime=micro_time,
    leaseTransitions=integer(),
)  # fmt: skip
_whole: Schema = {"type": "object"}
_octet = r"(25[0-5]|2[0-4][0-9]|1?[0-9]?[0-9])"
_address: Schema = {"type": "string", "pattern": rf"^({_octet}\.){{3}}{_octet}\Z"}
_endpoint = obj(
    ("addresses",),
    addresses={**many(_address), "minItems": 1}, conditions=obj(ready=flag, serving=flag, terminating=flag),
    targetRef=_whole, hostname=text, nodeName=text, zone=text, hints=inert,
)  # fmt: skip
_endpoint_port = obj(("port",), name=text, port=port_number, protocol=one_of("TCP", "UDP"), appProtocol=text)
_condition: Schema = {
    "type": "object", "required": ["type", "status"],
    "properties": {"type": text, "status": one_of("True", "False", "Unknown"), "reason": text, "message": text},
}  # fmt: skip
_status: Schema = {
    "type": "object",
    "properties": {
        "conditions": many(_condition), "podIP": _address, "phase": text, "containerStatuses": many(_whole),
        "observedGeneration": integer(), "replicas": integer(), "readyReplicas": integer(),
    },
}  # fmt: skip
"""What the sandbox's own parts read in a status; the rest of it is whoever's who writes it."""


def _with_spec(spec: Schema, *required: str) -> Schema:
    return obj(("metadata", *required), apiVersion=text, kind=text, metadata=METADATA, spec=spec, status=_status)


GATEWAY_GROUP = "gateway.networking.k8s.io"
KINDS: tuple[Kind, ...] = (
    Kind("", "v1", "Namespace", "namespaces", _with_spec(obj(finalizers=inert)), namespaced=False, has_status=True),
    Kind("apps", "v1", "Deployment", "deployments", _with_spec(DEPLOYMENT, "spec"), has_status=True, generation=True),
    Kind("", "v1", "Pod", "pods", _with_spec(POD_SPEC, "spec"), has_status=True, generation=True),
    Kind("", "v1", "Service", "services", _with_spec(SERVICE), has_status=True),
    Kind("discovery.k8s.io", "v1", "EndpointSlice", "endpointslices",
         obj(("metadata", "addressType"), apiVersion=text, kind=text, metadata=METADATA, addressType=one_of("IPv4"),
             endpoints=many(_endpoint), ports=many(_endpoint_port)), generation=True),
    Kind("", "v1", "ConfigMap", "configmaps",
         obj(("metadata",), apiVersion=text, kind=text, metadata=METADATA, data=strings, binaryData=strings, immutable=flag)),
    Kind("coordination.k8s.io", "v1", "Lease", "leases", _with_spec(LEASE), unconditional=False),
    Kind(GATEWAY_GROUP, "v1", "Gateway", "gateways", _with_spec(GATEWAY, "spec"), has_status=True, generation=True,
         unconditional=False),
    Kind(GATEWAY_GROUP, "v1", "HTTPRoute", "httproutes", _with_spec(HTTP_ROUTE, "spec"), has_status=True, generation=True,
         unconditional=False),
    Kind("", "v1", "Event", "events",
         obj(("metadata", "involvedObject"), apiVersion=text, kind=text, metadata=METADATA, involvedObject=_whole,
             reason=text, message=text, type=text, source=_whole, firstTimestamp=text, lastTimestamp=text,
             count=integer(), eventTime=inert, reportingComponent=text, reportingInstance=text)),
)  # fmt: skip
_BY_NAME = {kind.kind: kind for kind in KINDS}
_BY_PATH = {(kind.group, kind.version, kind.plural): kind for kind in KINDS}


def by_kind(name: str) -> Kind:
    """Raises KeyError."""
    return _BY_NAME[name]


def by_path(group: str, version: str, plural: str) -> Kind | None:
    return _BY_PATH.get((group, version, plural))
