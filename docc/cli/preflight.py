"""Everything that is looked at before a deploy touches anything: asked here, judged by core and engine, and said at once.

A check that cannot be carried out does not keep the others from being so; the first plan is good enough for them.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, TypeVar

from docc.cli.beginning import UNTOUCHED, reached
from docc.cli.wiring import Place
from docc.model.errors import CredentialsError, DoccError, Obstacle, UnknownKind, UnusableError

if TYPE_CHECKING:
    from docc.adapters.prometheus import PrometheusMetrics
    from docc.core.permissions import Permission
    from docc.core.plan import Plan
    from docc.engine.ports import Ports
    from docc.engine.sampling import Sampling
    from docc.model.foreign import Foreign
    from docc.model.manifest import GatewayName, Manifest
    from docc.model.moves import Object
    from docc.model.world import Seen

T = TypeVar("T")
_GATEWAY_API = "/apis/gateway.networking.k8s.io"


@dataclass(slots=True)
class Preflight:
    """lacking: what the user may not look at. Checks are made one after the other; `conclude` says what came of all of them."""

    place: Place
    manifest: Manifest
    seen: Seen
    lacking: tuple[Permission, ...] = ()
    unseen: tuple[str, ...] = ()
    _found: list[Obstacle] = field(default_factory=list)
    _gateways: list[Object] = field(default_factory=list)

    def gateway(self) -> GatewayName | None:
        """The Gateway of the application's route; None if it has no HTTP port, its route is others', or none is to be had."""
        return self._ask(lambda: _gateway_for(self.place, self.manifest, self.seen, self._gateways), None)

    def conditions(
        self, ports: Ports, metrics: PrometheusMetrics | None, plan: Plan, sampling: Sampling, *, ignore: bool
    ) -> Plan:
        """Asks every condition. With `ignore`, those that fail already are excused."""
        from docc.core.verdict import Verdict
        from docc.engine.preflight import conditions

        if not sampling.conditions:
            return plan
        if metrics is None:
            fix = "--prometheus-url URL, DOCC_PROMETHEUS_URL, or deployment_strategy.prometheus in the manifest"
            self._found.append(_refused("the manifest has failure_conditions, and no Prometheus is named", fix))
            return plan
        before = len(self._found)
        self._ask(metrics.probe, None)
        if len(self._found) > before:
            return plan
        judged, found = conditions(ports, plan, sampling, self.seen)
        self._found += found
        failing = tuple(check.name for check in judged.results if check.verdict is Verdict.FAIL)
        return replace(plan, excused=failing) if ignore and failing else plan

    def conclude(self, plan: Plan, *, rehearse: bool = False) -> tuple[Obstacle, ...]:
        """What is only to be told. rehearse: the API server is asked whether it would take what will be created. Raises
        PreflightError with all that refuses."""
        from docc.core.intent import intent
        from docc.core.obstacles import ROLLS, obstacles, refusal
        from docc.engine.preflight import rehearsal

        foreign = self._around(plan)
        self.unseen = foreign.unseen
        self._found += obstacles(plan, self.seen, foreign)
        if rehearse and intent(self.seen, plan.candidate) in ROLLS:
            told = {obstacle.where for obstacle in self._found if obstacle.exit_code is not None}
            self._found += [o for o in rehearsal(self.place.cluster.rehearse, plan, self.seen) if o.where not in told]
        if (error := refusal(self._found)) is not None:
            raise error
        return tuple(self._found)

    def _around(self, plan: Plan) -> Foreign:
        """Only what the deploy can run into: what goes on, or back, is not held up by a look around."""
        from docc.adapters.kube_around import look_around
        from docc.core.intent import Intent, intent
        from docc.core.obstacles import AROUND, ROLLS

        what, revision = intent(self.seen, plan.candidate), self.seen.revision(plan.candidate)
        rolls = what in ROLLS
        kinds: tuple[str, ...] = AROUND
        if not rolls:
            kinds = ("HorizontalPodAutoscaler",) if what is Intent.IN_PLACE and revision.replicas != plan.scale else ()
        named = plan.rendered.route["spec"]["parentRefs"][0] if plan.rendered.route else {}
        at = (named.get("namespace"), named.get("name"))
        return look_around(
            self.place.cluster,
            kinds,
            self.lacking,
            version=rolls and self.seen.record is None,
            gateway=next(
                (g for g in self._gateways if (g["metadata"]["namespace"], g["metadata"]["name"]) == at), None
            ),
        )

    def _ask(self, question: Callable[[], T], otherwise: T) -> T:
        from docc.core.obstacles import of_error

        try:
            return reached(self.place, question)
        except DoccError as error:
            self._found.append(of_error(error))
            return otherwise


def _refused(what: str, fix: str) -> Obstacle:
    return Obstacle(what, fix=fix, exit_code=UnusableError.exit_code)


def _gateway_for(place: Place, manifest: Manifest, seen: Seen, found: list[Object]) -> GatewayName | None:
    """found: gets the Gateways that were looked at. A Gateway that has accepted the live route as it is wanted is not asked
    again. Raises UnusableError, CredentialsError."""
    from docc.adapters.patience import Asked
    from docc.core.gateways import admitted_already, choose, none_admits

    application, canary = manifest.application, manifest.strategy.canary is not None
    if application.http_port is None or application.route is not None:
        return None
    namespace, alone = place.target.namespace, canary and not application.mesh  # nothing else would carry the weights
    if (known := admitted_already(seen.routed, application.gateway, namespace, application.hosts)) is not None:
        return known
    try:
        needed = alone or application.gateway is not None
        labelled, gateways = Asked(place.cluster.namespace_labels), Asked(lambda: _gateways(place, needed=needed))
        labels = labelled.result()
        found += gateways.result()
    except CredentialsError as error:
        if application.gateway is not None:  # whether it admits the route, its own controller will say
            return application.gateway
        raise CredentialsError(
            "you may not look for a Gateway, and the manifest names none",
            where=error.where,
            why=error.why,
            state=UNTOUCHED,
            fix='name one in the manifest ("gateway": "NAMESPACE/NAME"), or ask for what `docc rbac --discover` prints',
        ) from error
    chosen = choose(found, application.gateway, namespace, labels, application.hosts)
    if chosen is None and alone:
        raise none_admits(found, namespace, labels, application.hosts)
    return chosen


def _gateways(place: Place, *, needed: bool) -> list[Object]:
    """All of the cluster, none if it has no Gateway API and can do without."""
    from docc.adapters.kube_connection import Request

    try:
        return place.cluster.find("Gateway", everywhere=True)
    except UnknownKind as error:
        if not needed:
            return []
        try:
            group = place.cluster.connection.send(Request("get", _GATEWAY_API))
            served = ", ".join(str(version.get("version")) for version in group.get("versions") or [])
        except DoccError:
            served = ""
        raise UnusableError(
            f"this cluster's Gateway API is too old: it has {served}, docc needs v1"
            if served
            else "this cluster has no Gateway API (gateway.networking.k8s.io/v1)",
            why=error.why,
            state=UNTOUCHED,
            fix="ask an administrator of the cluster to "
            + ("update it" if served else "install Gateway API and a Gateway"),
        ) from error
