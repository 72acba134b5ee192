"""What guards the forge's pods: NetworkPolicies, the route, and the restart's rights."""

from typing import Any

NAMESPACE = "llm-infra"
Json = dict[str, Any]

_DNS = {
    "to": [
        {
            "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "kube-system"}},
            "podSelector": {"matchLabels": {"k8s-app": "kube-dns"}},
        }
    ],
    "ports": [{"protocol": "UDP", "port": 53.0}, {"protocol": "TCP", "port": 53.0}],
}
_DOWNLOADS = {
    "to": [
        {
            "ipBlock": {
                "cidr": "0.0.0.0/0",
                "except": [
                    "10.0.0.0/8",
                    "172.16.0.0/12",
                    "192.168.0.0/16",
                    "169.254.0.0/16",
                    "100.64.0.0/10",
                ],
            }
        }
    ],
    "ports": [{"protocol": "TCP", "port": 443.0}],
}
_API_SERVER = {"ports": [{"protocol": "TCP", "port": 6443.0}]}


def _metadata(name: str) -> Json:
    return {"name": name, "namespace": NAMESPACE}


def _policy(name: str, selector: Json, ingress: list[Json], egress: list[Json]) -> Json:
    return {
        "metadata": _metadata(name),
        "spec": {
            "podSelector": selector,
            "policyTypes": ["Ingress", "Egress"],
            "ingress": ingress,
            "egress": egress,
        },
    }


def _out(app: str, *egress: Json) -> Json:
    return _policy(app, {"matchLabels": {"app": app}}, [], list(egress))


def _rights() -> dict[str, tuple[str, Json]]:
    group = "rbac.authorization.k8s.io"
    may = {
        "apiGroups": ["apps"],
        "resources": ["deployments"],
        "resourceNames": ["litellm-proxy"],
        "verbs": ["get", "patch"],
    }
    account = {"kind": "ServiceAccount", "name": "litellm-restart-sa", "namespace": NAMESPACE}
    binding = {
        "metadata": _metadata("litellm-restart"),
        "roleRef": {"apiGroup": group, "kind": "Role", "name": "litellm-restart"},
        "subjects": [account],
    }
    return {
        "role": (f"{group}/v1:Role", {"metadata": _metadata("litellm-restart"), "rules": [may]}),
        "binding": (f"{group}/v1:RoleBinding", binding),
    }


def _route() -> Json:
    match = "Host(`synapse.arunlabs.com`) && PathPrefix(`/v1/`)"
    services = [{"name": "litellm-proxy", "port": 8000.0}]
    return {
        "metadata": _metadata("litellm-proxy"),
        "spec": {
            "entryPoints": ["websecure"],
            "routes": [{"kind": "Rule", "match": match, "services": services}],
            "tls": {"secretName": "arunlabs-wildcard-tls"},
        },
    }


def _budget() -> Json:
    selector = {"matchLabels": {"app": "litellm-proxy"}}
    return {
        "metadata": _metadata("litellm-proxy"),
        "spec": {"maxUnavailable": 1.0, "selector": selector},
    }


def _service() -> Json:
    return {
        "metadata": _metadata("litellm-proxy"),
        "spec": {"selector": {"app": "litellm-proxy"}, "ports": [{"port": 8000.0}]},
    }


def guards() -> dict[int, dict[str, tuple[str, Json]]]:
    """The guards by the phase that brings them: type token and properties."""
    policy = "networking.k8s.io/v1:NetworkPolicy"
    return {
        1: {
            "namespace": ("core/v1:Namespace", {"metadata": {"name": NAMESPACE}}),
            "shut": (policy, _policy("default-deny", {}, [], [_DNS])),
            "pull-out": (policy, _out("ollama-pull", _DOWNLOADS)),
        },
        2: {"fetch-out": (policy, _out("engine-pull", _DOWNLOADS))},
        3: {
            "restart-out": (policy, _out("litellm-restart", _API_SERVER)),
            "budget": ("policy/v1:PodDisruptionBudget", _budget()),
            "gateway-service": ("core/v1:Service", _service()),
            "route": ("traefik.io/v1alpha1:IngressRoute", _route()),
            **_rights(),
        },
    }
