"""Pod Security `restricted`, judged workload by workload; a read-only root; no token unasked.

The namespace enforces `baseline` and warns of the rest: what the API server would only warn of is
refused here. The list is that of the Pod Security Standards of Kubernetes 1.35.
"""

from collections.abc import Iterator

from pulumi_policy import ResourceValidationArgs
from pydantic import BaseModel, ConfigDict, Field

from synapse_policy.judging import Report, Scope, resource_rule
from synapse_policy.objects import objects_in
from synapse_policy.of_the_node import EXCEPTED, is_of_the_node
from synapse_policy.reading import Props, child, children, number, text, texts
from synapse_policy.root import is_below_root
from synapse_policy.word_sets import word_set
from synapse_policy.workload import Workload

_GROUPS = ("containers", "initContainers", "ephemeralContainers")
_PROBES = ("startupProbe", "readinessProbe", "livenessProbe")
_VOLUMES = word_set(
    "configMap csi downwardAPI emptyDir ephemeral image persistentVolumeClaim projected secret"
)
_SAFE_SYSCTLS = word_set(
    """
    kernel.shm_rmid_forced net.ipv4.ip_local_port_range net.ipv4.ip_local_reserved_ports
    net.ipv4.ip_unprivileged_port_start net.ipv4.ping_group_range net.ipv4.tcp_fin_timeout
    net.ipv4.tcp_keepalive_intvl net.ipv4.tcp_keepalive_probes net.ipv4.tcp_keepalive_time
    net.ipv4.tcp_rmem net.ipv4.tcp_syncookies net.ipv4.tcp_wmem
    """
)
_SELINUX_TYPES = ("", "container_t", "container_init_t", "container_kvm_t", "container_engine_t")
_PROFILES = ("RuntimeDefault", "Localhost")
_ADDABLE = "NET_BIND_SERVICE"


class _Everywhere(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    everywhere: bool = Field(
        default=False, description="judge pods that belong to no Synapse root as well"
    )


class Hardening(_Everywhere):
    """Where a rule judges that goes beyond the Pod Security Standards."""


class Restricted(_Everywhere):
    """Where the rule judges that holds a standard of Kubernetes."""

    everywhere: bool = Field(
        default=True, description="judge pods that belong to no Synapse root as well"
    )


def check_restricted(args: ResourceValidationArgs, report: Report, settings: Restricted) -> None:
    """Judge a workload's pods by all checks of `restricted`."""
    for workload, partial in _judged(args, settings):
        if is_below_root(args.urn) and is_of_the_node(workload):
            continue
        for fault in _faults(workload, partial=partial):
            report(f"{workload.label}: {fault}")


def check_read_only(args: ResourceValidationArgs, report: Report, settings: Hardening) -> None:
    """Judge whether the root of every container's file system is read-only."""
    for workload, partial in _judged(args, settings):
        for label, container in _containers(workload):
            said = child(container, "securityContext").get("readOnlyRootFilesystem")
            if said is not True and not (partial and said is None):
                report(
                    f"{workload.label}: {label} may write to its image's files; set "
                    "securityContext.readOnlyRootFilesystem: true, and mount an emptyDir where it "
                    "has to write, such as /tmp"
                )


def check_token(args: ResourceValidationArgs, report: Report, settings: Hardening) -> None:
    """Judge whether a pod gets a token that it does not ask for."""
    for workload, partial in _judged(args, settings):
        said = workload.pod_spec.get("automountServiceAccountToken")
        account = text(workload.pod_spec, "serviceAccountName") or "default"
        if said is False or (partial and said is None):
            continue
        if said is None or account == "default":
            asked = "is not set" if said is None else "is true for the account that all pods share"
            report(
                f"{workload.label}: automountServiceAccountToken {asked}, so whoever breaks into "
                "the pod may talk to the API server; set it to false, or name the account that the "
                "pod needs in serviceAccountName and set it to true"
            )


def _judged(args: ResourceValidationArgs, settings: _Everywhere) -> Iterator[tuple[Workload, bool]]:
    """Yield the workloads to judge; a patch says a part alone, so nothing is missing from it."""
    if settings.everywhere or is_below_root(args.urn):
        for one in objects_in(args):
            if one.workload is not None:
                yield one.workload, one.is_patch


def _containers(workload: Workload) -> Iterator[tuple[str, Props]]:
    for group in _GROUPS:
        for container in children(workload.pod_spec, group):
            yield f"container {text(container, 'name')!r}", container


def _faults(workload: Workload, *, partial: bool) -> Iterator[str]:
    pod_spec = workload.pod_spec
    security = child(pod_spec, "securityContext")
    for key in ("hostNetwork", "hostPID", "hostIPC"):
        if pod_spec.get(key) is True:
            yield f"{key} is true, which shares the node's; drop it"
    yield from _faults_of_volumes(pod_spec)
    for sysctl in children(security, "sysctls"):
        name = text(sysctl, "name")
        if name not in _SAFE_SYSCTLS:
            yield f"sysctl {name!r} reaches beyond the pod; drop it"
    yield from _faults_of_context("the pod", security)
    if number(security, "runAsUser") == 0:
        yield "the pod runs as root (runAsUser 0); set a user of no account, such as 65532"
    yield from _faults_of_app_armor(workload)
    on_linux = text(child(pod_spec, "os"), "name") != "windows"
    for label, container in _containers(workload):
        own = child(container, "securityContext")
        yield from _faults_of_context(label, own)
        yield from _faults_of_hosts(label, container)
        yield from _faults_of_privilege(label, own, on_linux=on_linux, partial=partial)
        yield from _faults_of_user(label, own, security, partial=partial)
        if on_linux:
            yield from _faults_of_seccomp(label, own, security, partial=partial)


def _faults_of_volumes(pod_spec: Props) -> Iterator[str]:
    for volume in children(pod_spec, "volumes"):
        for kind in volume:
            if kind != "name" and kind not in _VOLUMES and volume[kind] is not None:
                yield (
                    f"volume {text(volume, 'name')!r} is a {kind}, which is none of the pod's own; "
                    "use a persistentVolumeClaim or an emptyDir"
                )


def _faults_of_context(label: str, security: Props) -> Iterator[str]:
    """What neither a pod's nor a container's securityContext may say."""
    if child(security, "windowsOptions").get("hostProcess") is True:
        yield f"{label} is a hostProcess of Windows; drop windowsOptions.hostProcess"
    selinux = child(security, "seLinuxOptions")
    if (text(selinux, "type") or "") not in _SELINUX_TYPES:
        yield f"{label} has seLinuxOptions.type {text(selinux, 'type')!r}; set container_t"
    if text(selinux, "user") or text(selinux, "role"):
        yield f"{label} sets seLinuxOptions.user or .role; drop them"
    if text(child(security, "seccompProfile"), "type") == "Unconfined":
        yield f"{label} has seccompProfile.type Unconfined; set RuntimeDefault"
    profile = text(child(security, "appArmorProfile"), "type")
    if profile is not None and profile not in _PROFILES:
        yield f"{label} has appArmorProfile.type {profile}; set RuntimeDefault"


def _faults_of_app_armor(workload: Workload) -> Iterator[str]:
    for key, value in workload.pod_annotations.items():
        if key.startswith("container.apparmor.security.beta.kubernetes.io/") and not (
            value in ("", "runtime/default") or value.startswith("localhost/")
        ):
            yield f"annotation {key} is {value!r}; set runtime/default"


def _faults_of_hosts(label: str, container: Props) -> Iterator[str]:
    for port in children(container, "ports"):
        if number(port, "hostPort"):
            yield f"{label} takes hostPort {round(number(port, 'hostPort') or 0)}; drop it"
    lifecycle = child(container, "lifecycle")
    handlers = {kind: child(container, kind) for kind in _PROBES}
    handlers |= {kind: child(lifecycle, kind) for kind in ("postStart", "preStop")}
    for kind, handler in handlers.items():
        for way in ("httpGet", "tcpSocket"):
            host = text(child(handler, way), "host")
            if host:
                yield f"the {kind} of {label} has host {host!r}, another than the pod; drop it"


def _faults_of_privilege(
    label: str, security: Props, *, on_linux: bool, partial: bool
) -> Iterator[str]:
    if security.get("privileged") is True:
        yield f"{label} is privileged, which is root on the node; drop it"
    mount = text(security, "procMount")
    if mount not in (None, "", "Default"):
        yield f"{label} has procMount {mount}; set Default"
    if not on_linux:
        return
    escalation = security.get("allowPrivilegeEscalation")
    if escalation is not False and not (partial and escalation is None):
        yield f"{label} may gain privileges; set securityContext.allowPrivilegeEscalation: false"
    capabilities = child(security, "capabilities")
    if "ALL" not in texts(capabilities, "drop") and not (partial and not capabilities):
        yield f"{label} keeps capabilities; set securityContext.capabilities.drop: [ALL]"
    added = [name for name in texts(capabilities, "add") if name != _ADDABLE]
    if added:
        yield f"{label} adds the capabilities {', '.join(added)}; drop them"


def _faults_of_user(label: str, own: Props, pod: Props, *, partial: bool) -> Iterator[str]:
    said = own.get("runAsNonRoot")
    said = pod.get("runAsNonRoot") if said is None else said
    if said is not True and not (partial and said is None):
        yield f"{label} may run as root; set securityContext.runAsNonRoot: true"
    if number(own, "runAsUser") == 0:
        yield f"{label} runs as root (runAsUser 0); set a user of no account, such as 65532"


def _faults_of_seccomp(label: str, own: Props, pod: Props, *, partial: bool) -> Iterator[str]:
    profile = text(child(own, "seccompProfile"), "type")
    profile = text(child(pod, "seccompProfile"), "type") if profile is None else profile
    if profile is None and not partial:
        yield (
            f"{label} has no seccompProfile; set securityContext.seccompProfile.type: "
            "RuntimeDefault"
        )
    elif profile not in (None, "Unconfined", *_PROFILES):
        yield f"{label} has seccompProfile.type {profile!r}; set RuntimeDefault"


RULES = (
    resource_rule(
        name="restricted-pod-security",
        description="Every pod satisfies the Pod Security Standard `restricted`.",
        reason=(
            "Engines, gateways and their models are other people's code that reads what anybody "
            "sends; root, capabilities or the node's own paths turn one hole into the whole node. "
            f"{EXCEPTED}."
        ),
        cure=(
            "runAsNonRoot, allowPrivilegeEscalation: false, capabilities.drop: [ALL], "
            "seccompProfile RuntimeDefault, and no volume or port of the node."
        ),
        check=check_restricted,
        settings=Restricted,
    ),
    resource_rule(
        name="read-only-root",
        description="No container of the stack may write to its image's files.",
        reason="What breaks in cannot leave anything behind in the program's own files.",
        cure="readOnlyRootFilesystem: true, and an emptyDir where the program has to write.",
        check=check_read_only,
        settings=Hardening,
        scope=Scope.ROOT,
    ),
    resource_rule(
        name="no-token-unasked",
        description="No pod of the stack gets a ServiceAccount token that it does not ask for.",
        reason="A token that nobody uses lets whoever breaks in talk to the API server.",
        cure=(
            "automountServiceAccountToken: false; where a pod calls the API server, an account of "
            "its own and true."
        ),
        check=check_token,
        settings=Hardening,
        scope=Scope.ROOT,
    ),
)
