"""Label selectors, as Kubernetes matches them."""

from collections.abc import Mapping

from synapse_policy.reading import Props, UnreadableError, child, children, text, texts

Labels = Mapping[str, str]


def labels_in(props: Props, key: str = "labels") -> dict[str, str]:
    """Return the labels under `key`."""
    held = child(props, key)
    return {name: text(held, name) or "" for name in held}


def selects(selector: Props, labels: Labels) -> bool:
    """Whether a LabelSelector selects these labels; an empty one selects everything.

    Raises:
        UnreadableError: an operator that Kubernetes does not know.
    """
    wanted = labels_in(selector, "matchLabels")
    if any(labels.get(name) != value for name, value in wanted.items()):
        return False
    return all(_holds(one, labels) for one in children(selector, "matchExpressions"))


def selects_everything(selector: Props) -> bool:
    """Whether a LabelSelector asks for nothing."""
    return not labels_in(selector, "matchLabels") and not list(
        children(selector, "matchExpressions")
    )


def _holds(expression: Props, labels: Labels) -> bool:
    key, operator = text(expression, "key") or "", text(expression, "operator")
    values = texts(expression, "values")
    if operator == "In":
        return labels.get(key) in values
    if operator == "NotIn":
        return labels.get(key) not in values
    if operator == "Exists":
        return key in labels
    if operator == "DoesNotExist":
        return key not in labels
    raise UnreadableError(
        f"the operator {operator!r} of a label selector is none of In, NotIn, Exists, DoesNotExist"
    )
