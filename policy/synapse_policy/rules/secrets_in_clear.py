"""No secret in the clear: a Secret object holds it, and all others refer to that.

A value that Pulumi encrypts in its state is as clear as any other in a Deployment, so it counts.
"""

from collections.abc import Iterator, Mapping, Sequence

from pulumi_policy import ResourceValidationArgs
from pulumi_policy.proxy import UnknownValueError

from synapse_policy import secret_shapes
from synapse_policy.judging import Report, resource_rule
from synapse_policy.objects import KubernetesObject, objects_in
from synapse_policy.reading import Props, child, known_text
from synapse_policy.workload import kind_of

_KEPT_SECRET = {
    "Secret": ("data", "stringData"),
    "SealedSecret": ("spec",),
    "ExternalSecret": ("spec",),  # names of keys, such as secretKey: password
    "ClusterExternalSecret": ("spec",),
    "PushSecret": ("spec",),
    "CertificateSigningRequest": ("spec",),
}
_FILES = ("data", "binaryData")
_WORDS = ("command", "args")
_CURE_OF = "keep it in a Secret, and refer to that by valueFrom.secretKeyRef"
_HELM = "kubernetes:helm.sh/"


def check(args: ResourceValidationArgs, report: Report) -> None:
    """Judge every text of an object that is no Secret's own."""
    if args.resource_type.startswith(_HELM):
        label = f"{kind_of(args.resource_type)} {args.name!r}"
        # A chart puts its values where it likes, mostly into a Secret: variables alone are sure.
        found = (one for one in _found(args.props, "") if one[2])
        _report(label, found, report)
        return
    for one in objects_in(args):
        _report(one.label, _in_object(one), report)


def _report(label: str, found: Iterator[tuple[str, str, bool]], report: Report) -> None:
    told = set()
    for where, kind, _ in found:
        if where not in told:
            told.add(where)
            report(f"{label}: {where} holds {kind} in the clear; {_CURE_OF}")


def _in_object(one: KubernetesObject) -> Iterator[tuple[str, str, bool]]:
    kept = _KEPT_SECRET.get(one.kind, ())
    for key, value in _known(one.props):
        if key in kept or key == "status":
            continue
        if one.kind == "ConfigMap" and key in _FILES:
            yield from _in_files(value, key)
        else:
            yield from _within(value, key, key)


def _in_files(files: object, key: str) -> Iterator[tuple[str, str, bool]]:
    if not isinstance(files, Mapping):
        return
    for name in files:
        is_named = secret_shapes.is_secret_variable(name)
        try:
            content = files[name]
        except UnknownValueError:
            if is_named:
                raise
            continue
        if not isinstance(content, str):
            continue
        if is_named and "\n" not in content and secret_shapes.is_literal(content, name):
            yield f"{key}.{name}", secret_shapes.by_value(content) or "a literal value", False
            continue
        for line, kind in secret_shapes.in_text(content, name):
            yield f"{key}.{name}, {line}", kind, False
        if "PRIVATE KEY-----" in content and secret_shapes.by_value(content):
            yield f"{key}.{name}", "a private key", False


def _found(value: object, path: str) -> Iterator[tuple[str, str, bool]]:
    for key, inner in _known(value):
        yield from _within(inner, key, f"{path}.{key}".lstrip("."))


def _within(value: object, key: str, path: str) -> Iterator[tuple[str, str, bool]]:
    """Yield where a value somewhere below a key holds a secret, and whether a variable does."""
    if isinstance(value, str):
        yield from _in_text(value, key, path)
    elif isinstance(value, Mapping):
        if _is_variable(value):
            yield from _in_variable(value, path)
            return
        for inner_key, inner in _known(value):
            yield from _within(inner, inner_key, f"{path}.{inner_key}")
    elif isinstance(value, Sequence):
        if key in _WORDS:
            words = tuple(one if isinstance(one, str) else "" for _, one in _known(value))
            for where, kind in secret_shapes.in_words(words):
                yield f"{path}, {where},", kind, False
            return
        for index, inner in _known(value):
            yield from _within(inner, key, f"{path}[{index}]")


def _in_text(value: str, key: str, path: str) -> Iterator[tuple[str, str, bool]]:
    if "\n" in value:
        for line, kind in secret_shapes.in_text(value):
            yield f"{path}, {line}", kind, False
        if "PRIVATE KEY-----" in value and secret_shapes.by_value(value):
            yield path, "a private key", False
        return
    name = key.rpartition("/")[2]
    shape = secret_shapes.by_value(value)
    if shape is not None:
        yield path, shape, False
    elif secret_shapes.is_secret_name(name) and secret_shapes.is_literal(value, name):
        yield path, "a literal value", False


def _is_variable(value: Props) -> bool:
    """Whether this is an entry of `env`, in a pod or in a chart's values."""
    keys = set(value)
    return "name" in keys and "value" in keys and keys <= {"name", "value", "valueFrom"}


def _in_variable(variable: Props, path: str) -> Iterator[tuple[str, str, bool]]:
    name = known_text(variable, "name") or ""
    if child(variable, "valueFrom"):
        return
    is_named = secret_shapes.is_secret_variable(name)
    try:
        value = variable.get("value")
    except UnknownValueError:
        if is_named:
            raise  # known or not, it is a value and no reference
        return
    if not isinstance(value, str):
        return
    kind = secret_shapes.by_value(value)
    if kind is None and is_named and secret_shapes.is_literal(value, name):
        kind = "a literal value"
    if kind is not None:
        yield f"variable {name} ({path})", kind, True


def _known(value: object) -> Iterator[tuple[str, object]]:
    """Yield what a mapping or list holds and is known; what is not is judged in the update."""
    keys: Sequence[object] = []
    if isinstance(value, Mapping):
        keys = list(value)
    elif isinstance(value, Sequence) and not isinstance(value, str):
        keys = range(len(value))
    for key in keys:
        try:
            yield str(key), value[key]  # type: ignore[index]  # a mapping or a list, as above
        except UnknownValueError:
            continue


RULES = (
    resource_rule(
        name="no-secret-in-the-clear",
        description="No variable, argument, ConfigMap or annotation holds a secret's value.",
        reason=(
            "Whoever may look at a pod, a ConfigMap or a rendered manifest reads it, and it stays "
            "in logs, in Git and in backups; a Secret is kept apart and can be changed."
        ),
        cure="Put the value into a Secret, and refer to it: valueFrom.secretKeyRef, or a mount.",
        check=check,
    ),
)
