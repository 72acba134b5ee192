"""Jobs that download a model onto a volume: idempotent, resumable, progress in the pod's log."""

from dataclasses import dataclass

import pulumi
from pulumi_kubernetes.batch.v1 import Job, JobSpecArgs
from pulumi_kubernetes.core.v1 import ContainerArgs, EnvVarArgs, PodSpecArgs, PodTemplateSpecArgs
from pulumi_kubernetes.meta.v1 import ObjectMetaArgs

from synapse.components.labels import REPLACE_WHEN_FAILED, labels, metadata
from synapse.components.pods import (
    ANY_USER,
    PULL_POLICY,
    claimed,
    container_security,
    pod_security,
    pull_secrets,
    resources,
    scratch,
)
from synapse.components.priority import Priority, class_name
from synapse.components.waiting import wait_up_to
from synapse.names import MODEL_ANNOTATION
from synapse.plan.model import PodResources

_SECONDS = 6 * 60 * 60
_ATTEMPTS = 6


@dataclass(frozen=True, kw_only=True)
class DownloadArgs:
    """One model, the program that fetches it, and the claim that receives it.

    Attributes:
        app: the `app` label, by which a NetworkPolicy lets the pod out.
        job: name of the Job.
        command: fetches the model into `mount_path`; goes on where an earlier one was cut off.
        uid: user of the pod.
    """

    app: str
    job: str
    namespace: str
    model: str
    image: str
    command: list[str]
    variables: list[EnvVarArgs]
    claim: str
    mount_path: str
    pod: PodResources
    pull_secret: str | None = None
    uid: int = ANY_USER
    pod_annotations: dict[str, str] | None = None


def download(resource_name: str, args: DownloadArgs, opts: pulumi.ResourceOptions) -> Job:
    """Register the Job, and wait as long as the Job itself may take."""
    return Job(
        resource_name,
        metadata=metadata(
            args.job,
            args.namespace,
            args.app,
            annotations={MODEL_ANNOTATION: args.model} | REPLACE_WHEN_FAILED,
        ),
        spec=_spec(args),
        opts=pulumi.ResourceOptions.merge(opts, wait_up_to(_SECONDS)),
    )


def _spec(args: DownloadArgs) -> JobSpecArgs:
    claim, claim_mount = claimed(args.claim, args.mount_path)
    scratch_volume, scratch_mount = scratch(args.pod)
    container = ContainerArgs(
        name="pull",
        image=args.image,
        image_pull_policy=PULL_POLICY,
        command=args.command,
        env=args.variables,
        resources=resources(args.pod),
        security_context=container_security(),
        volume_mounts=[claim_mount, scratch_mount],
    )
    return JobSpecArgs(
        backoff_limit=_ATTEMPTS - 1,
        active_deadline_seconds=_SECONDS,
        template=PodTemplateSpecArgs(
            metadata=ObjectMetaArgs(labels=labels(args.app), annotations=args.pod_annotations),
            spec=PodSpecArgs(
                restart_policy="Never",  # a failed pod stays, and with it its log
                priority_class_name=class_name(args.namespace, Priority.JOBS),
                containers=[container],
                volumes=[claim, scratch_volume],
                image_pull_secrets=pull_secrets(args.pull_secret),
                security_context=pod_security(args.uid),
                automount_service_account_token=False,
                enable_service_links=False,
            ),
        ),
    )
