"""vLLM's sleep mode: only where somebody attested that it works, and where nobody reaches it."""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence

from pulumi_policy import ResourceValidationArgs, StackValidationArgs

from synapse_policy.containers import Container
from synapse_policy.judging import Report, resource_rule, stack_rule
from synapse_policy.objects import KubernetesObject, by_cluster, objects_in, with_workloads
from synapse_policy.reading import Props, child, children, text, texts
from synapse_policy.root import is_below_root, plan_for
from synapse_policy.selectors import selects, selects_everything
from synapse_policy.workload import Workload

_FLAG, _DEV_MODE = "--enable-sleep-mode", "VLLM_SERVER_DEV_MODE"
_OFF = ("", "0")
_PATH = re.compile(r"/(is_sleeping|sleep|wake_up)(?![\w-])")
_ROUTES = ("Ingress", "IngressRoute", "HTTPRoute", "Middleware")
_POLICY_GROUPS = ("networking.k8s.io", "extensions")
_EVERYWHERE = ("0.0.0.0/0", "::/0")


def check_attested(args: ResourceValidationArgs, report: Report) -> None:
    """Judge engines that can sleep, and routes to their switches."""
    for one in objects_in(args):
        if one.workload is not None:
            _judge_engines(one.workload, report)
        elif one.kind in _ROUTES:
            _judge_route(one, report)


def _judge_engines(workload: Workload, report: Report) -> None:
    if not is_below_root(workload.urn):
        return  # who attested what nobody knows there; the NetworkPolicy is asked for below
    for engine in workload.engines:
        for sign in _signs(engine):
            if not _is_attested(workload):
                report(
                    f"container {engine.name!r} of {workload.label} has {sign}, and nobody attested"
                    " that sleep mode works on this GPU; drop it, or watch a burn-in and set "
                    "engine.sleep_mode (attested_by, attested_on, residue_gib)"
                )


def _is_attested(workload: Workload) -> bool:
    engine = plan_for(workload.urn).engine
    return engine.sleep_mode and workload.name == engine.service


def _signs(engine: Container) -> Iterator[str]:
    if engine.command_line.has(_FLAG):
        yield _FLAG
    if engine.setting(_DEV_MODE, "0").strip() not in _OFF:
        yield f"{_DEV_MODE}={engine.environment[_DEV_MODE]}"


def _judge_route(one: KubernetesObject, report: Report) -> None:
    if is_below_root(one.urn) and plan_for(one.urn).engine.sleep_mode:
        return
    for path in sorted({found[0] for words in _texts(one.spec) for found in _PATH.finditer(words)}):
        report(
            f"{one.label} routes {path}, by which whoever reaches it switches the engine off; "
            "drop the route (inside, the swap reaches the engine's Service)"
        )


def _texts(value: object) -> Iterator[str]:
    """Yield all texts in a route."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for key in value:
            yield from _texts(value[key])
    elif isinstance(value, Sequence):
        for index in range(len(value)):
            yield from _texts(value[index])


def check_shut_in(args: StackValidationArgs, report: Report) -> None:
    """Judge whether a NetworkPolicy says who may reach an engine that can sleep."""
    for objects in by_cluster(args.resources):
        for one, workload in with_workloads(objects):
            signs = [sign for engine in workload.engines for sign in _signs(engine)]
            hole = _hole(one, workload, objects) if signs else None
            if hole is not None:
                report(
                    f"{one.label} has {' and '.join(signs)}, and {hole}, so whoever reaches its "
                    "port switches it off; add a NetworkPolicy with policyTypes Ingress that "
                    "admits its callers alone",
                    one.urn,
                )


def _hole(
    one: KubernetesObject, workload: Workload, objects: Iterable[KubernetesObject]
) -> str | None:
    """Say how its pods can be reached by anybody; None if they cannot."""
    shut = [
        policy
        for policy in objects
        if policy.is_a("NetworkPolicy", *_POLICY_GROUPS)
        and policy.namespace == one.namespace
        and _is_for_ingress(policy.spec)
        and selects(child(policy.spec, "podSelector"), workload.pod_labels)
    ]
    if not shut:
        return "no NetworkPolicy with policyTypes Ingress selects its pods"
    for policy in shut:
        if any(_admits_everybody(rule) for rule in children(policy.spec, "ingress")):
            return f"{policy.label} admits everybody"
    return None


def _is_for_ingress(spec: Props) -> bool:
    types = texts(spec, "policyTypes")
    return "Ingress" in types if types else True


def _admits_everybody(rule: Props) -> bool:
    peers = list(children(rule, "from"))
    return not peers or any(_is_everybody(peer) for peer in peers)


def _is_everybody(peer: Props) -> bool:
    if text(child(peer, "ipBlock"), "cidr") in _EVERYWHERE:
        return True
    if peer.get("ipBlock") is not None or peer.get("namespaceSelector") is None:
        return False
    any_namespace = selects_everything(child(peer, "namespaceSelector"))
    return any_namespace and selects_everything(child(peer, "podSelector"))


_REASON = (
    "Sleep mode crashed and leaked on this architecture (vLLM #21336), and its switches ask for no "
    "key: one POST /sleep by anybody stops all answers."
)

RULES = (
    resource_rule(
        name="sleep-mode",
        description="Sleep mode, its development server and its routes only when attested.",
        reason=_REASON,
        cure=(
            "Drop --enable-sleep-mode, VLLM_SERVER_DEV_MODE and routes to /sleep and /wake_up, or "
            "attest a burn-in in engine.sleep_mode."
        ),
        check=check_attested,
    ),
    stack_rule(
        name="sleep-mode-deployed",
        description="An engine that can sleep is shut in by a NetworkPolicy.",
        reason=_REASON,
        cure="Add a NetworkPolicy with policyTypes Ingress that admits the engine's callers alone.",
        check=check_shut_in,
    ),
)
