"""The root component and the plan in it.

A resource rule is shown one resource, and a stack rule the components' outputs, not their inputs.
So the plan is kept when the root is registered, which is before anything below it.
"""

from pulumi_policy import PolicyResource, ResourceValidationArgs
from pydantic import ValidationError

from synapse_policy.plan_view import PlanView
from synapse_policy.reading import Props, UnreadableError, plain

TYPE = "synapse:stack:Synapse"

_seen: dict[str, tuple[Props, PlanView]] = {}


def is_root(args: ResourceValidationArgs | PolicyResource) -> bool:
    """Whether this is the root component."""
    return args.resource_type == TYPE


def is_below_root(urn: str) -> bool:
    """Whether a resource descends from a root: its URN names the types of all its parents."""
    return f"{TYPE}$" in urn


def plan_in(args: ResourceValidationArgs) -> PlanView:
    """Read the plan in the root's inputs once, and keep it for the resources below."""
    stack = _stack_of(args.urn)
    if stack not in _seen or _seen[stack][0] is not args.props:
        _seen[stack] = (args.props, _read(args.props))
    return _seen[stack][1]


def plan_for(urn: str) -> PlanView:
    """Return the plan of the root in this resource's stack."""
    seen = _seen.get(_stack_of(urn))
    if seen is None:
        raise UnreadableError(
            f"no plan was seen before it; the root component {TYPE} has to carry the plan as its "
            "plain input `plan` and to be registered first"
        )
    return seen[1]


def root_in(resources: list[PolicyResource]) -> PolicyResource | None:
    """Return the root of the stack; None in a program that has none."""
    roots = [resource for resource in resources if is_root(resource)]
    if len(roots) > 1:
        names = " and ".join(repr(root.name) for root in roots)
        raise UnreadableError(f"it has two roots, {names}, and each counts the machine as its own")
    return roots[0] if roots else None


def _read(props: Props) -> PlanView:
    value = plain(props.get("plan"))
    if value is None:
        raise UnreadableError("it carries no `plan`; pass the plan as a plain input")
    try:
        return PlanView.model_validate(value)
    except ValidationError as problem:
        missing = "; ".join(
            f"plan.{'.'.join(str(key) for key in error['loc'])}: {error['msg']}"
            for error in problem.errors()
        )
        raise UnreadableError(
            f"its plan does not say what the pack has to prove: {missing}"
        ) from None


def _stack_of(urn: str) -> str:
    """`urn:pulumi:dev::project` of `urn:pulumi:dev::project::type::name`."""
    return "::".join(urn.split("::")[:2])
