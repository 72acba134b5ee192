"""Labels and annotations that clients, runbooks and the policy pack rely on."""

from pulumi_kubernetes.meta.v1 import ObjectMetaArgs

from synapse.names import GATEWAY, GATEWAY_APP

# The objects that are awaited are the Deployments and Jobs: a Service's own awaiter costs ten
# seconds and says nothing more, and a claim binds only when its first pod is placed.
SKIP_AWAIT = {"pulumi.com/skipAwait": "true"}
REPLACE_WHEN_FAILED = {"pulumi.com/replaceUnready": "true"}

# The gateway is selected by a shorter label than its name: runbooks say `-l app=litellm`.
_NAMED_OTHERWISE = {GATEWAY_APP: GATEWAY}


def labels(app: str) -> dict[str, str]:
    """The labels of everything that belongs to one service."""
    return {
        "app": app,
        "app.kubernetes.io/name": _NAMED_OTHERWISE.get(app, app),
        "app.kubernetes.io/part-of": "synapse",
    }


def name_part(text: str) -> str:
    """A text, such as a model's tag, as part of an object's name."""
    return "".join(char if char.isalnum() else "-" for char in text.lower())


def metadata(
    name: str,
    namespace: str,
    app: str,
    annotations: dict[str, str] | None = None,
) -> ObjectMetaArgs:
    """Name, namespace and labels of one object; names are explicit, without a suffix."""
    return ObjectMetaArgs(
        name=name, namespace=namespace, labels=labels(app), annotations=annotations
    )
