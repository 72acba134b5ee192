"""The daily restart: its time, its command, and how little its account may do."""

from tests.components.conftest import Record
from tests.components.pods import pod


def test_it_runs_daily_at_four(registered: Record) -> None:
    job = registered().object("CronJob", "litellm-restart")
    assert job.spec["schedule"] == "0 4 * * *"
    assert job.spec["concurrencyPolicy"] == "Forbid"
    assert 60 <= job.spec["startingDeadlineSeconds"] <= 3600, "not in the middle of the day"
    assert not job.spec.get("suspend")


def test_the_time_is_the_configs(registered: Record) -> None:
    recorded = registered(gateway={"restart_schedule": "30 3 * * 0"})
    assert recorded.object("CronJob", "litellm-restart").spec["schedule"] == "30 3 * * 0"


def test_it_restarts_the_gateway_of_its_namespace(registered: Record) -> None:
    one = pod(registered(), "litellm-restart")
    assert one.container["command"] == [
        "kubectl",
        "rollout",
        "restart",
        "deployment/litellm-proxy",
        "--namespace=llm-infra",
    ]
    assert "args" not in one.container


def test_it_ends_by_itself(registered: Record) -> None:
    spec = registered().object("CronJob", "litellm-restart").spec["jobTemplate"]["spec"]
    assert spec["activeDeadlineSeconds"] <= 600
    assert spec["template"]["spec"]["restartPolicy"] == "Never"


def test_it_runs_as_its_account_whose_token_no_other_pod_gets(registered: Record) -> None:
    recorded = registered()
    one = pod(recorded, "litellm-restart")
    account = recorded.object("ServiceAccount", "litellm-restart-sa")
    assert one.spec["serviceAccountName"] == account.object_name
    assert account.inputs["automountServiceAccountToken"] is False


def test_the_account_may_get_and_patch_that_one_deployment_and_nothing_else(
    registered: Record,
) -> None:
    recorded = registered()
    (role,) = recorded.of_kind("Role")
    assert role.inputs["rules"] == [
        {
            "apiGroups": ["apps"],
            "resources": ["deployments"],
            "resourceNames": ["litellm-proxy"],
            "verbs": ["get", "patch"],
        }
    ]
    (binding,) = recorded.of_kind("RoleBinding")
    assert binding.inputs["roleRef"] == {
        "apiGroup": "rbac.authorization.k8s.io",
        "kind": "Role",
        "name": role.object_name,
    }
    assert binding.inputs["subjects"] == [
        {"kind": "ServiceAccount", "name": "litellm-restart-sa", "namespace": "llm-infra"}
    ]


def test_nothing_is_granted_beyond_the_namespace(registered: Record) -> None:
    kinds = {one.kind for one in registered().resources}
    assert not {"ClusterRole", "ClusterRoleBinding"} & kinds
    assert len(registered().of_kind("RoleBinding")) == 1


def test_it_has_its_rights_before_it_may_run(registered: Record) -> None:
    recorded = registered()
    job = recorded.object("CronJob", "litellm-restart")
    for kind in ("ServiceAccount", "Role", "RoleBinding"):
        assert recorded.of_kind(kind)[0].urn in job.depends_on
