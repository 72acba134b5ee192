"""The gateway's replicas, rollout, disruption budget, and its daily restart."""

import copy

import pytest

from tests.policy.forge import Json
from tests.policy.judge import UNKNOWN
from tests.policy.one_rule import deployment, made, ours, theirs

AT_ONCE, DEPLOYED = "gateway-survives", "gateway-survives-deployed"
RESTART = "gateway-restart-deployed"
RBAC = "rbac.authorization.k8s.io/v1"
LITELLM: Json = {"image": "ghcr.io/berriai/litellm:v1.80.0"}


def _gateway(replicas: object = 2, **strategy: object) -> Json:
    rolling = {"rollingUpdate": {"maxUnavailable": 0, "maxSurge": 1} | strategy}
    return deployment("gateway", LITELLM, replicas=replicas, strategy=rolling)


def _budget(**spec: object) -> Json:
    selector = {"matchLabels": {"app": "gateway"}}
    return made(
        "PodDisruptionBudget", "gateway", api="policy/v1", spec={"selector": selector, **spec}
    )


def _rights() -> dict[str, Json]:
    rule = {
        "apiGroups": ["apps"],
        "resources": ["deployments"],
        "resourceNames": ["gateway"],
        "verbs": ["get", "patch"],
    }
    container = {
        "name": "restart",
        "image": "registry.k8s.io/kubectl:v1.35.4",
        "command": ["kubectl", "rollout", "restart", "deployment/gateway"],
    }
    pod = {"serviceAccountName": "restart", "containers": [container]}
    job = {"schedule": "0 4 * * *", "jobTemplate": {"spec": {"template": {"spec": pod}}}}
    return {
        "gateway": _gateway(),
        "role": made("Role", "restart", api=RBAC, rules=[rule]),
        "binding": made(
            "RoleBinding",
            "restart",
            api=RBAC,
            roleRef={"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "restart"},
            subjects=[{"kind": "ServiceAccount", "name": "restart"}],
        ),
        "cron": made("CronJob", "restart", api="batch/v1", spec=job),
    }


@pytest.mark.parametrize("replicas", [0, 1])
def test_a_single_gateway_is_refused(replicas: int) -> None:
    message = theirs(AT_ONCE, _gateway(replicas))
    assert f"{replicas} replicas < 2" in message
    assert "set replicas to 2" in message


def test_replicas_that_are_not_said_are_one() -> None:
    silent = _gateway()
    del silent["spec"]["replicas"]
    assert "1 replicas < 2" in ours(AT_ONCE, silent)
    assert theirs(AT_ONCE, silent) == ""  # an autoscaler may set them
    assert "1 replicas < 2" in theirs(DEPLOYED, silent, _budget(maxUnavailable=1))


@pytest.mark.parametrize(("least", "refused"), [(1, True), (None, True), (2, False)])
def test_an_autoscalers_minimum_counts(least: int | None, refused: bool) -> None:
    silent = _gateway()
    del silent["spec"]["replicas"]
    spec = {"scaleTargetRef": {"name": "gateway"}, "minReplicas": least}
    scaler = made("HorizontalPodAutoscaler", "gateway", api="autoscaling/v2", spec=spec)
    message = theirs(DEPLOYED, silent, scaler, _budget(maxUnavailable=1))
    assert ("HorizontalPodAutoscaler 'gateway'" in message) is refused


def test_the_least_number_is_a_setting() -> None:
    assert "2 replicas < 3" in theirs(AT_ONCE, _gateway(), settings={"min_replicas": 3})


@pytest.mark.parametrize(
    ("strategy", "replicas", "refused"),
    [
        ({"type": "Recreate"}, 2, True),
        ({"rollingUpdate": {"maxUnavailable": 1}}, 2, True),
        ({"rollingUpdate": {"maxUnavailable": "50%"}}, 2, True),
        ({"rollingUpdate": {"maxUnavailable": "25%"}}, 3, False),
        ({}, 3, False),
        ({}, 4, True),
        ({"rollingUpdate": {"maxUnavailable": "0%"}}, 9, False),
    ],
)
def test_a_rollout_takes_no_replica_away(strategy: Json, replicas: int, refused: bool) -> None:
    there = deployment("gateway", LITELLM, replicas=replicas, strategy=strategy)
    message = theirs(AT_ONCE, there)
    assert ("maxUnavailable" in message) is refused


def test_a_bare_gateway_is_refused() -> None:
    pod = made("Pod", "gateway", spec={"containers": [{"name": "it", **LITELLM}]})
    assert "make it a Deployment" in theirs(AT_ONCE, pod)


def test_other_programs_may_be_alone() -> None:
    assert theirs(AT_ONCE, deployment("web", {"image": "nginx:1"}, replicas=1)) == ""
    assert theirs(DEPLOYED, deployment("web", {"image": "nginx:1"}, replicas=1)) == ""


def test_a_patch_of_something_else_passes() -> None:
    patch = deployment("gateway", LITELLM) | {"kind": "DeploymentPatch"}
    assert ours(AT_ONCE, patch) == ""
    patch["spec"]["replicas"] = 1
    assert "1 replicas < 2" in ours(AT_ONCE, patch)


def test_a_gateway_without_a_budget_is_refused() -> None:
    assert "no PodDisruptionBudget selects" in theirs(DEPLOYED, _gateway())
    other = _budget(maxUnavailable=1)
    other["spec"]["selector"] = {"matchLabels": {"app": "other"}}
    assert "no PodDisruptionBudget selects" in theirs(DEPLOYED, _gateway(), other)
    other = _budget(maxUnavailable=1)
    other["metadata"]["namespace"] = "other"
    assert "no PodDisruptionBudget selects" in theirs(DEPLOYED, _gateway(), other)


@pytest.mark.parametrize(
    ("spec", "said"),
    [
        ({"maxUnavailable": 1}, ""),
        ({"maxUnavailable": "50%"}, ""),
        ({"minAvailable": 1}, ""),
        ({"maxUnavailable": 0}, "none may ever be evicted"),
        ({"minAvailable": 2}, "none may ever be evicted"),
        ({"minAvailable": "60%"}, "none may ever be evicted"),
        ({}, "none may ever be evicted"),
        ({"maxUnavailable": 2}, "all of them"),
        ({"minAvailable": 0}, "all of them"),
        ({"maxUnavailable": "100%"}, "all of them"),
    ],
)
def test_a_budget_lets_them_go_one_by_one(spec: Json, said: str) -> None:
    message = theirs(DEPLOYED, _gateway(), _budget(**spec))
    assert said in message
    assert bool(message) is bool(said)


@pytest.mark.parametrize(
    ("operator", "values", "selected"),
    [
        ("In", ["gateway", "x"], True),
        ("NotIn", ["gateway"], False),
        ("Exists", [], True),
        ("DoesNotExist", [], False),
    ],
)
def test_a_budgets_expressions_are_read(operator: str, values: list[str], selected: bool) -> None:
    budget = _budget(maxUnavailable=1)
    expression = {"key": "app", "operator": operator, "values": values}
    budget["spec"]["selector"] = {"matchExpressions": [expression]}
    assert (theirs(DEPLOYED, _gateway(), budget) == "") is selected


def test_unknown_replicas_are_refused() -> None:
    assert "cannot be judged" in theirs(AT_ONCE, _gateway(UNKNOWN))


def test_the_restart_as_it_should_be_passes() -> None:
    assert ours(RESTART, *_rights().values()) == ""
    assert theirs(RESTART, *_rights().values()) == ""


def test_a_gateway_of_ours_without_a_restart_is_refused() -> None:
    assert "no CronJob restarts" in ours(RESTART, _gateway())
    assert theirs(RESTART, _gateway()) == ""


@pytest.mark.parametrize(
    ("schedule", "refused"),
    [
        ("0 4 * * *", False),
        ("0 */12 * * *", False),
        ("@daily", False),
        ("0 4 * * 0", True),
        ("0 4 1 * *", True),
        ("@weekly", True),
    ],
)
def test_the_restart_is_daily(schedule: str, refused: bool) -> None:
    there = _rights()
    there["cron"]["spec"]["schedule"] = schedule
    assert ("not at least daily" in ours(RESTART, *there.values())) is refused


def test_a_suspended_restart_is_refused() -> None:
    there = _rights()
    there["cron"]["spec"]["suspend"] = True
    assert "suspended" in theirs(RESTART, *there.values())


@pytest.mark.parametrize(
    "change",
    [
        {"resourceNames": ["gateway", "web"]},
        {"resourceNames": []},
        {"resourceNames": ["web"]},
        {"verbs": ["get", "patch", "delete"]},
        {"verbs": ["*"]},
        {"resources": ["deployments", "secrets"]},
        {"resources": ["*"]},
        {"apiGroups": ["apps", ""]},
        {"apiGroups": ["*"]},
    ],
)
def test_the_restarts_role_may_do_no_more(change: Json) -> None:
    there = _rights()
    there["role"]["rules"][0] |= change
    assert "Role 'restart' lets the restart's account" in theirs(RESTART, *there.values())


def test_a_second_rule_counts() -> None:
    there = _rights()
    more = copy.deepcopy(there["role"]["rules"][0]) | {"resources": ["secrets"]}
    there["role"]["rules"].append(more)
    assert "secrets" in theirs(RESTART, *there.values())


def test_a_role_that_cannot_restart_is_refused() -> None:
    there = _rights()
    there["role"]["rules"][0]["verbs"] = ["get"]
    assert "so the restart fails" in theirs(RESTART, *there.values())


def test_a_cluster_role_is_refused() -> None:
    there = _rights()
    there["binding"]["roleRef"]["kind"] = "ClusterRole"
    assert "a ClusterRole" in theirs(RESTART, *there.values())


@pytest.mark.parametrize(
    "subject",
    [
        {"kind": "ServiceAccount", "name": "restart", "namespace": "llm-infra"},
        {"kind": "Group", "name": "system:serviceaccounts"},
        {"kind": "Group", "name": "system:serviceaccounts:llm-infra"},
        {"kind": "User", "name": "system:serviceaccount:llm-infra:restart"},
    ],
)
def test_a_cluster_wide_binding_is_refused(subject: Json) -> None:
    wide = made(
        "ClusterRoleBinding",
        "wide",
        api=RBAC,
        roleRef={"kind": "ClusterRole", "name": "admin"},
        subjects=[subject],
    )
    assert "ClusterRoleBinding 'wide'" in theirs(RESTART, *_rights().values(), wide)


def test_nobody_else_is_bound_to_the_role() -> None:
    there = _rights()
    other = copy.deepcopy(there["binding"]) | {"subjects": [{"kind": "User", "name": "me"}]}
    other["metadata"]["name"] = "other"
    assert "RoleBinding 'other' binds" in theirs(RESTART, *there.values(), other)
    there["binding"]["subjects"] += [{"kind": "User", "name": "me"}]
    assert "its only subject" in theirs(RESTART, *there.values())


def test_no_other_pod_has_the_account() -> None:
    web = deployment("web", {"image": "nginx:1"}, pod={"serviceAccountName": "restart"})
    assert "Deployment 'web' runs as" in theirs(RESTART, *_rights().values(), web)


def test_the_default_account_is_refused() -> None:
    there = _rights()
    del there["cron"]["spec"]["jobTemplate"]["spec"]["template"]["spec"]["serviceAccountName"]
    assert "default ServiceAccount" in theirs(RESTART, *there.values())


def test_an_account_without_a_role_is_refused_below_a_root() -> None:
    there = _rights()
    del there["binding"]
    assert "no Role of this program is bound" in ours(RESTART, *there.values())


def test_unknown_rights_are_refused() -> None:
    there = _rights()
    there["role"]["rules"] = UNKNOWN
    assert "cannot be judged" in theirs(RESTART, *there.values())
