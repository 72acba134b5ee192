"""Runs a pull Job again: the Job that was deployed for the model is the template of the new one."""

import time
from collections.abc import Callable
from enum import StrEnum

from lightkube.models.batch_v1 import JobSpec, JobStatus
from lightkube.models.core_v1 import PodTemplateSpec
from lightkube.models.meta_v1 import ObjectMeta
from lightkube.resources.batch_v1 import Job
from lightkube.resources.core_v1 import Pod

from synapse.cluster.access import Cluster
from synapse.cluster.errors import ClusterError
from synapse.cluster.names import MODEL_ANNOTATION

_KEPT_SECONDS = 3600
_POLL_SECONDS = 1.0
# What the Job controller writes into a template to tell a Job's pods from another's.
_CONTROLLER_LABELS = frozenset(
    {
        "batch.kubernetes.io/controller-uid",
        "batch.kubernetes.io/job-name",
        "controller-uid",
        "job-name",
    }
)


class Ended(StrEnum):
    """How a pull ended."""

    COMPLETE = "complete"
    FAILED = "failed"
    RUNNING = "still running"


def start_pull(cluster: Cluster, namespace: str, app: str, tag: str) -> tuple[Job, bool]:
    """Return the Job that pulls a model, and whether it runs already: one is enough.

    Args:
        cluster: where it runs.
        namespace: the stack's.
        app: the `app` label of pull Jobs.
        tag: the model.

    Raises:
        ClusterError: no Job was deployed for this model, or the cluster refuses.
    """
    jobs = cluster.call(
        "list the pull Jobs",
        lambda client: list(client.list(Job, namespace=namespace, labels={"app": app})),
    )
    of_model = [job for job in jobs if _annotations(job).get(MODEL_ANNOTATION) == tag]
    if not of_model:
        raise ClusterError(
            f"no pull Job for {tag} was deployed in {namespace}",
            "bring it with `pulumi up` (with --refresh if somebody deleted it)",
        )
    for job in of_model:
        if ended(job) is Ended.RUNNING:
            return job, True
    again = _again(of_model[0])
    return cluster.call(f"create a pull Job for {tag}", lambda client: client.create(again)), False


def _annotations(job: Job) -> dict[str, str]:
    return (job.metadata.annotations if job.metadata else None) or {}


def _again(job: Job) -> Job:
    """The same work under a new name, removed an hour after it ended."""
    metadata, spec = job.metadata or ObjectMeta(), job.spec or JobSpec(PodTemplateSpec())
    template = spec.template
    pod_metadata = template.metadata or ObjectMeta()
    pod_labels = {
        name: value
        for name, value in (pod_metadata.labels or {}).items()
        if name not in _CONTROLLER_LABELS
    }
    labels = {
        name: value
        for name, value in (metadata.labels or {}).items()
        if name not in _CONTROLLER_LABELS
    }
    return Job(
        metadata=ObjectMeta(
            generateName=f"{_base_name(metadata)}-again-",
            namespace=metadata.namespace,
            labels=labels,
            annotations={MODEL_ANNOTATION: _annotations(job)[MODEL_ANNOTATION]},
        ),
        spec=JobSpec(
            template=PodTemplateSpec(metadata=ObjectMeta(labels=pod_labels), spec=template.spec),
            backoffLimit=spec.backoffLimit,
            activeDeadlineSeconds=spec.activeDeadlineSeconds,
            ttlSecondsAfterFinished=_KEPT_SECONDS,
        ),
    )


def _base_name(metadata: ObjectMeta) -> str:
    return (metadata.name or "pull").partition("-again-")[0]


def ended(job: Job) -> Ended:
    """How the Job stands."""
    for condition in (job.status or JobStatus()).conditions or []:
        if condition.status == "True" and condition.type in ("Complete", "Failed"):
            return Ended.COMPLETE if condition.type == "Complete" else Ended.FAILED
    return Ended.RUNNING


def follow(cluster: Cluster, job: Job, timeout_seconds: float, say: Callable[[str], None]) -> Ended:
    """Pass on the log of the Job's pods until the Job ends, or the time is up.

    Raises:
        ClusterError: the Job is gone, or the cluster does not answer.
    """
    metadata = job.metadata or ObjectMeta()
    namespace, name = metadata.namespace or "", metadata.name or ""
    deadline = time.monotonic() + timeout_seconds
    said: dict[str, int] = {}
    while True:
        how = _state(cluster, namespace, name)
        if not cluster.simulated:
            _pass_on(cluster, namespace, name, said, deadline, say)
        if how is not Ended.RUNNING or time.monotonic() >= deadline:
            return how
        time.sleep(_POLL_SECONDS)


def _state(cluster: Cluster, namespace: str, name: str) -> Ended:
    found = cluster.find(
        f"read the Job {namespace}/{name}",
        lambda client: client.get(Job, name, namespace=namespace),
    )
    if found is None:
        raise ClusterError(f"the Job {namespace}/{name} is gone", "run the command again")
    return ended(found)


def _pass_on(
    cluster: Cluster,
    namespace: str,
    job: str,
    said: dict[str, int],
    deadline: float,
    say: Callable[[str], None],
) -> None:
    """Say what each pod has logged since the last look; `said` counts the lines by pod."""
    pods = cluster.call(
        f"list the pods of {job}",
        lambda client: list(client.list(Pod, namespace=namespace, labels={"job-name": job})),
    )
    for pod in pods:
        name = (pod.metadata.name if pod.metadata else None) or ""
        if not (pod.status and pod.status.phase in ("Running", "Succeeded", "Failed")):
            continue
        for number, line in enumerate(cluster.log_lines(namespace, name), start=1):
            if number > said.get(name, 0):
                said[name] = number
                say(line)
            if time.monotonic() >= deadline:
                return
