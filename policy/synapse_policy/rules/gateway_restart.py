"""The gateway's daily restart, by an account that can restart that one Deployment and no more."""

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from pulumi_policy import StackValidationArgs

from synapse_policy.judging import Report, stack_rule
from synapse_policy.objects import KubernetesObject, by_cluster, with_workloads
from synapse_policy.reading import Props, child, children, known_text, known_texts, text, texts
from synapse_policy.root import is_below_root
from synapse_policy.servers import gateway_in
from synapse_policy.workload import Workload

_RESTARTS = re.compile(r"\brollout\s+restart\b|\bpatch\b")
_DAILY = re.compile(
    r"@(daily|midnight|hourly)|(\S+\s+){2}[*?](/1)?\s+[*?](/1)?\s+([*?](/1)?|0-[67])"
)
_RBAC = "rbac.authorization.k8s.io"
_NEEDED = frozenset(("get", "patch"))
_EVERYBODY = ("system:serviceaccounts", "system:authenticated", "system:unauthenticated")


@dataclass(frozen=True)
class _Restart:
    """A CronJob that restarts a gateway, and the account of its pods."""

    cron_job: KubernetesObject
    gateway: KubernetesObject
    account: str


def check(args: StackValidationArgs, report: Report) -> None:
    """Judge the restart of every gateway, and what its account may do."""
    for objects in by_cluster(args.resources):
        found = list(with_workloads(objects))
        gateways = [
            one for one, workload in found if one.kind == "Deployment" and gateway_in(workload)
        ]
        rights = [one for one in objects if one.group == _RBAC]
        for gateway in gateways:
            restarts = list(_restarts(gateway, found))
            if not restarts and is_below_root(gateway.urn):
                report(
                    f"no CronJob restarts {gateway.label}, whose memory grows until it is killed; "
                    "add one that runs `kubectl rollout restart` daily",
                    gateway.urn,
                )
            for restart in restarts:
                _judge_schedule(restart, report)
                _judge_account(restart, found, report)
                _judge_rights(restart, rights, report)


def _restarts(
    gateway: KubernetesObject, found: Iterable[tuple[KubernetesObject, Workload]]
) -> Iterator[_Restart]:
    named = re.compile(rf"(?<![\w.-]){re.escape(gateway.name)}(?![\w.-])")
    for one, workload in found:
        if one.kind != "CronJob":
            continue
        words = " ".join(
            word
            for container in workload.containers
            for word in (
                *known_texts(container.props, "command"),
                *known_texts(container.props, "args"),
            )
        )
        if _RESTARTS.search(words) and named.search(words):
            account = known_text(workload.pod_spec, "serviceAccountName") or "default"
            yield _Restart(one, gateway, account)


def _judge_schedule(restart: _Restart, report: Report) -> None:
    cron_job = restart.cron_job
    if cron_job.spec.get("suspend") is True:
        report(
            f"{cron_job.label} is suspended, so {restart.gateway.label} is never restarted; set "
            "suspend to false",
            cron_job.urn,
        )
    schedule = text(cron_job.spec, "schedule") or ""
    if is_below_root(cron_job.urn) and not _DAILY.fullmatch(schedule.strip()):
        report(
            f"{cron_job.label} has schedule {schedule!r}, which is not at least daily, and the "
            'gateway leaks GiB within a day or two; set it to "0 4 * * *" '
            "(gateway.restart_schedule)",
            cron_job.urn,
        )


def _judge_account(
    restart: _Restart, found: Iterable[tuple[KubernetesObject, Workload]], report: Report
) -> None:
    cron_job = restart.cron_job
    if restart.account == "default":
        report(
            f"{cron_job.label} runs as the namespace's default ServiceAccount, whose rights every "
            "pod has; give it an account of its own",
            cron_job.urn,
        )
        return
    for one, workload in found:
        shares = known_text(workload.pod_spec, "serviceAccountName") == restart.account
        if shares and one != cron_job and one.namespace == cron_job.namespace:
            report(
                f"{one.label} runs as ServiceAccount {restart.account!r}, which may restart "
                f"{restart.gateway.label}; that account is for {cron_job.label} alone",
                one.urn,
            )


def _judge_rights(restart: _Restart, rights: Sequence[KubernetesObject], report: Report) -> None:
    account, cron_job = f"ServiceAccount {restart.account!r}", restart.cron_job
    bound = False
    for binding in rights:
        if not binding.kind.endswith("Binding"):
            continue
        subjects = list(children(binding.props, "subjects"))
        if not any(_means(one, restart, binding) for one in subjects):
            continue
        role_ref = child(binding.props, "roleRef")
        if binding.kind == "ClusterRoleBinding" or text(role_ref, "kind") == "ClusterRole":
            report(
                f"{binding.label} gives {account} a ClusterRole; {cron_job.label} needs a Role in "
                "its namespace with get and patch of one Deployment",
                binding.urn,
            )
            continue
        if len(subjects) > 1:
            report(
                f"{binding.label} gives the rights of {account} to {len(subjects) - 1} more; leave "
                f"{account} its only subject",
                binding.urn,
            )
        roles = [
            one
            for one in rights
            if one.kind == "Role"
            and one.name == text(role_ref, "name")
            and one.namespace == binding.namespace
        ]
        for role in roles:
            bound = True
            _judge_role(role, restart, report)
            _judge_other_bindings(role, binding, rights, report)
    if not bound and is_below_root(cron_job.urn):
        report(
            f"no Role of this program is bound to {account}, so {cron_job.label} cannot restart "
            f"{restart.gateway.label}; bind a Role with get and patch of that Deployment",
            cron_job.urn,
        )


def _judge_role(role: KubernetesObject, restart: _Restart, report: Report) -> None:
    allowed: set[str] = set()
    for rule in children(role.props, "rules"):
        verbs = set(texts(rule, "verbs"))
        names = texts(rule, "resourceNames")
        right = (
            set(texts(rule, "apiGroups")) == {"apps"}
            and set(texts(rule, "resources")) == {"deployments"}
            and names == (restart.gateway.name,)
            and verbs <= _NEEDED
        )
        if right:
            allowed |= verbs
            continue
        shown = ", ".join(sorted(texts(rule, "resources"))) or "no resource"
        which = ", ".join(names) or "any name"
        report(
            f"{role.label} lets the restart's account {', '.join(sorted(verbs))} {shown} ({which});"
            f" allow only get and patch of deployments of the group apps with resourceNames: "
            f"[{restart.gateway.name}]",
            role.urn,
        )
    if not allowed >= _NEEDED:
        report(
            f"{role.label} does not let the restart's account get and patch "
            f"{restart.gateway.label}, so the restart fails; allow both",
            role.urn,
        )


def _judge_other_bindings(
    role: KubernetesObject,
    own: KubernetesObject,
    rights: Iterable[KubernetesObject],
    report: Report,
) -> None:
    for other in rights:
        role_ref = child(other.props, "roleRef") if other.kind == "RoleBinding" else {}
        same = text(role_ref, "name") == role.name and text(role_ref, "kind") == "Role"
        if same and other != own and other.namespace == role.namespace:
            report(
                f"{other.label} binds {role.label}, which is for the restart's account alone; "
                "remove it",
                other.urn,
            )


def _means(subject: Props, restart: _Restart, binding: KubernetesObject) -> bool:
    name, kind = text(subject, "name") or "", text(subject, "kind")
    namespace = restart.cron_job.namespace
    if kind == "ServiceAccount":
        default = binding.namespace if binding.kind == "RoleBinding" else ""
        return name == restart.account and (text(subject, "namespace") or default) == namespace
    if kind == "User":
        return name == f"system:serviceaccount:{namespace}:{restart.account}"
    return name in _EVERYBODY or name == f"system:serviceaccounts:{namespace}"


RULES = (
    stack_rule(
        name="gateway-restart-deployed",
        description="The gateway is restarted daily, by an account that can do no more than that.",
        reason=(
            "LiteLLM's memory grows by GiB within a day or two; and an account that may patch any "
            "Deployment can run any image in the cluster."
        ),
        cure=(
            "A CronJob with `kubectl rollout restart` daily, its own ServiceAccount, and a Role "
            "with get and patch of that one Deployment by resourceNames."
        ),
        check=check,
    ),
)
