"""The command lines of the simulated forge's processes; their working directory is its folder."""

from __future__ import annotations

PROGRAMS = ("etcd", "kube-apiserver", "kube-controller-manager", "kube-scheduler", "kwok")

# A file in the working directory: the store listens on no port at all.
_STORE = "unix://store.sock:0"
_PEER = "unix://peer.sock:0"

_KUBECONFIG = "--kubeconfig=kubeconfig"
# Signs service account tokens, too: the server makes it at its first start.
_KEY = "certs/apiserver.key"

ENVIRONMENT = {
    # kwok 0.7.0 prepares its stages for nodes and for pods at once, in maps without a lock, and Go
    # ends a program that is caught at it. A single thread cannot be interrupted within a map.
    "kwok": {"GOMAXPROCS": "1"},
}
"""What is added to the environment, by program."""


def commands(port: int) -> dict[str, list[str]]:
    """Arguments by program; `port` is where the API server listens on loopback."""
    return {
        "etcd": [
            "--name=store",
            "--data-dir=etcd",
            f"--listen-client-urls={_STORE}",
            f"--advertise-client-urls={_STORE}",
            f"--listen-peer-urls={_PEER}",
            f"--initial-advertise-peer-urls={_PEER}",
            f"--initial-cluster=store={_PEER}",
            "--unsafe-no-fsync",
            "--log-level=warn",
        ],
        "kube-apiserver": [
            f"--etcd-servers={_STORE}",
            f"--secure-port={port}",
            "--bind-address=127.0.0.1",
            "--cert-dir=certs",
            "--token-auth-file=tokens.csv",
            "--authorization-mode=RBAC",
            "--allow-privileged=true",
            "--service-account-issuer=https://kubernetes.default.svc.cluster.local",
            f"--service-account-key-file={_KEY}",
            f"--service-account-signing-key-file={_KEY}",
            "--service-cluster-ip-range=10.43.0.0/16",
            # There is no address that pods could reach it at.
            "--endpoint-reconciler-type=none",
        ],
        "kube-controller-manager": [
            _KUBECONFIG,
            "--leader-elect=false",
            "--secure-port=0",
            f"--service-account-private-key-file={_KEY}",
            "--root-ca-file=certs/apiserver.crt",
            # kwok's heartbeat is late on a busy machine. Pods of a node that is taken for dead are
            # marked as not ready, and no kubelet is there to mark them as ready again.
            "--node-monitor-grace-period=24h",
        ],
        "kube-scheduler": [_KUBECONFIG, "--leader-elect=false", "--secure-port=0"],
        "kwok": [
            _KUBECONFIG,
            "--config=kwok.yaml",
            "--manage-all-nodes=true",
            "--node-ip=10.42.0.1",
            "--cidr=10.42.0.1/24",
            # With leases, a kwok that is started again would wait for the old one's to expire.
            "--node-lease-duration-seconds=0",
        ],
    }
