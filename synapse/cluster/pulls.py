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
from synapse.names import MODEL_ANNOTATION

_KEPT_SECONDS = 3600
_POLL_SECONDS = 1.0
_PHASES_WITH_A_LOG = ("Running", "Succeeded", "Failed")
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
    log = _Log(cluster, namespace, name, say)
    while True:
        how = _state(cluster, namespace, name)
        if not cluster.simulated:
            log.pass_on(deadline)
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


class _Log:
    """What the pods of a Job say, each line once."""

    def __init__(
        self, cluster: Cluster, namespace: str, job: str, say: Callable[[str], None]
    ) -> None:
        self._cluster, self._namespace, self._job, self._say = cluster, namespace, job, say
        self._lines_said: dict[str, int] = {}
        self._unreadable: set[str] = set()

    def pass_on(self, deadline: float) -> None:
        """Say what each pod logs, until all of them are silent or the time is up."""
        for pod in self._pods():
            name = (pod.metadata.name if pod.metadata else None) or ""
            if not (pod.status and pod.status.phase in _PHASES_WITH_A_LOG):
                continue
            try:
                for number, line in enumerate(self._cluster.log_lines(self._namespace, name), 1):
                    if number > self._lines_said.get(name, 0):
                        self._lines_said[name] = number
                        self._say(line)
                    if time.monotonic() >= deadline:
                        return
            except ClusterError as error:
                # The Job goes on without its log.
                if name not in self._unreadable:
                    self._unreadable.add(name)
                    self._say(str(error))

    def _pods(self) -> list[Pod]:
        return self._cluster.call(
            f"list the pods of {self._job}",
            lambda client: list(
                client.list(Pod, namespace=self._namespace, labels={"job-name": self._job})
            ),
        )
