"""Which cluster is meant: the target's kubeconfig and context, else kubectl's own rules."""

import os
from pathlib import Path

import msgspec
import yaml
from lightkube import ConfigError, KubeConfig, SingleConfig

from synapse.cluster.errors import ClusterError
from synapse.settings.machine import Target, TargetKind

_DEFAULT = "~/.kube/config"


def find_config(target: Target) -> SingleConfig:
    """Return the connection that the target names.

    Of several files in $KUBECONFIG the first one that has the context is taken, whole: entries of
    different files are not combined.

    Raises:
        ClusterError: there is no such file or context, or the file is not a kubeconfig.
    """
    if target.kind is TargetKind.RENDER:
        raise ClusterError(
            "synapse:target.kind = render: manifests are written, there is no cluster to ask",
            "name the stack file of a cluster by --config",
        )
    if target.kind is TargetKind.SIM and target.kubeconfig is None:
        # Never the cluster that happens to be the current one.
        raise ClusterError(
            "synapse:target.kind = sim, and synapse:target.kubeconfig is not set",
            "start the simulated forge with `make up`, and name its stack file by --config",
        )
    files = _files(target)
    missing = [path for path in files if not path.is_file()]
    present = [(path, _read(path)) for path in files if path not in missing]
    if not present:
        raise ClusterError(
            f"there is no kubeconfig {' or '.join(map(str, missing))}", _missing_cure(target)
        )
    context = target.context or next(
        (config.current_context for _, config in present if config.current_context), None
    )
    for path, config in present:
        if context in config.contexts:
            return _complete(path, config, context)
    known = sorted(name for _, config in present for name in config.contexts)
    raise ClusterError(
        f"{', '.join(str(path) for path, _ in present)} has no context {context!r}",
        f"set synapse:target.context to one of {', '.join(known) or 'those that you add'}",
    )


def _files(target: Target) -> list[Path]:
    named = target.kubeconfig or os.environ.get("KUBECONFIG") or _DEFAULT
    parts = [named] if target.kubeconfig else [part for part in named.split(os.pathsep) if part]
    return [Path(part).expanduser() for part in parts]


def _missing_cure(target: Target) -> str:
    if target.kind is TargetKind.SIM:
        return "start the simulated forge with `make up`"
    return "set synapse:target.kubeconfig or $KUBECONFIG to the file that kubectl uses"


def _read(path: Path) -> KubeConfig:
    try:
        return KubeConfig.from_file(path)
    except (
        OSError,
        yaml.YAMLError,
        UnicodeDecodeError,
        LookupError,
        TypeError,
        AttributeError,
        msgspec.MsgspecError,
        ConfigError,
    ) as error:
        reason = " ".join(str(error).split())
        raise ClusterError(
            f"{path} cannot be read as a kubeconfig ({type(error).__name__}: {reason})",
            "check it with `kubectl config view`",
        ) from None


def _complete(path: Path, config: KubeConfig, name: str) -> SingleConfig:
    try:
        found = config.get(name)
    except (ConfigError, KeyError) as error:
        raise ClusterError(
            f"context {name!r} of {path} names an entry that is not there ({error})",
            "check it with `kubectl config view`",
        ) from None
    if found is None or found.user is None:
        raise ClusterError(
            f"context {name!r} of {path} names no user", "add the user's credentials to it"
        )
    return found
