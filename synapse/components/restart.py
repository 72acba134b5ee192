"""The gateway's daily restart, by an account that can restart that one Deployment and no more."""

from dataclasses import dataclass

import pulumi
from pulumi_kubernetes.batch.v1 import (
    CronJob,
    CronJobSpecArgs,
    JobSpecArgs,
    JobTemplateSpecArgs,
)
from pulumi_kubernetes.core.v1 import (
    ContainerArgs,
    PodSpecArgs,
    PodTemplateSpecArgs,
    ServiceAccount,
)
from pulumi_kubernetes.meta.v1 import ObjectMetaArgs
from pulumi_kubernetes.networking.v1 import NetworkPolicy
from pulumi_kubernetes.rbac.v1 import (
    PolicyRuleArgs,
    Role,
    RoleBinding,
    RoleRefArgs,
    SubjectArgs,
)

from synapse.components.labels import labels, metadata
from synapse.components.network import policy, reach_kubernetes_api
from synapse.components.pods import (
    ANY_USER,
    PULL_POLICY,
    SCRATCH,
    container_security,
    environment,
    pod_security,
    resources,
    scratch,
)
from synapse.components.priority import Priority, class_name
from synapse.names import GATEWAY, RESTART
from synapse.plan.model import Plan

_ACCOUNT = "litellm-restart-sa"
_DEADLINE_SECONDS = 300
# A node that was off for longer has restarted the gateway by that.
_LATEST_START_SECONDS = 600


@dataclass(frozen=True)
class RestartArgs:
    """The plan: schedule, image and namespace."""

    plan: Plan


class Restart(pulumi.ComponentResource):
    """The CronJob with its account, role and NetworkPolicy."""

    def __init__(
        self, name: str, args: RestartArgs, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        super().__init__("synapse:gateway:Restart", name, None, opts)
        plan = args.plan
        child = pulumi.ResourceOptions(parent=self)
        account = ServiceAccount(
            f"{name}-account",
            metadata=metadata(_ACCOUNT, plan.namespace, RESTART),
            automount_service_account_token=False,
            opts=child,
        )
        role = Role(
            f"{name}-role",
            metadata=metadata(RESTART, plan.namespace, RESTART),
            rules=[
                PolicyRuleArgs(
                    api_groups=["apps"],
                    resources=["deployments"],
                    resource_names=[GATEWAY],
                    # `kubectl rollout restart` reads the Deployment before it patches it.
                    verbs=["get", "patch"],
                )
            ],
            opts=child,
        )
        binding = RoleBinding(
            f"{name}-binding",
            metadata=metadata(RESTART, plan.namespace, RESTART),
            role_ref=RoleRefArgs(api_group="rbac.authorization.k8s.io", kind="Role", name=RESTART),
            subjects=[SubjectArgs(kind="ServiceAccount", name=_ACCOUNT, namespace=plan.namespace)],
            opts=child,
        )
        NetworkPolicy(
            f"{name}-policy",
            metadata=metadata(RESTART, plan.namespace, RESTART),
            spec=policy({"app": RESTART}, egress=reach_kubernetes_api()),
            opts=child,
        )
        CronJob(
            f"{name}-cronjob",
            metadata=metadata(RESTART, plan.namespace, RESTART),
            spec=_cron_job(plan),
            opts=pulumi.ResourceOptions(parent=self, depends_on=[account, role, binding]),
        )
        self.register_outputs({})


def _cron_job(plan: Plan) -> CronJobSpecArgs:
    pod = plan.workload(RESTART).pod
    scratch_volume, scratch_mount = scratch(pod)
    container = ContainerArgs(
        name="restart",
        image=plan.gateway.kubectl_image,
        image_pull_policy=PULL_POLICY,
        command=[
            "kubectl",
            "rollout",
            "restart",
            f"deployment/{GATEWAY}",
            f"--namespace={plan.namespace}",
        ],
        env=environment({"HOME": SCRATCH}),
        resources=resources(pod),
        security_context=container_security(),
        volume_mounts=[scratch_mount],
    )
    return CronJobSpecArgs(
        schedule=plan.gateway.restart_schedule,
        concurrency_policy="Forbid",
        starting_deadline_seconds=_LATEST_START_SECONDS,
        successful_jobs_history_limit=1,
        failed_jobs_history_limit=3,
        job_template=JobTemplateSpecArgs(
            spec=JobSpecArgs(
                backoff_limit=2,
                active_deadline_seconds=_DEADLINE_SECONDS,
                template=PodTemplateSpecArgs(
                    metadata=ObjectMetaArgs(labels=labels(RESTART)),
                    spec=PodSpecArgs(
                        restart_policy="Never",
                        priority_class_name=class_name(plan.namespace, Priority.JOBS),
                        service_account_name=_ACCOUNT,
                        automount_service_account_token=True,
                        containers=[container],
                        volumes=[scratch_volume],
                        security_context=pod_security(ANY_USER),
                        enable_service_links=False,
                    ),
                ),
            )
        ),
    )
