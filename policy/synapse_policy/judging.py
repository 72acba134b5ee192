"""How a check becomes a rule of the pack: with its config, its exceptions, and failing closed."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from enum import Enum
from typing import NotRequired, Protocol, TypedDict, TypeVar, Unpack, overload

from pulumi_policy import (
    EnforcementLevel,
    PolicyResource,
    ReportViolation,
    ResourceValidationArgs,
    ResourceValidationPolicy,
    StackValidationArgs,
    StackValidationPolicy,
)
from pulumi_policy.proxy import UnknownValueError
from pydantic import BaseModel

from synapse_policy.exceptions import STACK, Desk, Subject, subject_of
from synapse_policy.reading import UnreadableError
from synapse_policy.rule_config import ConfigReader, NoSettings, config_schema

STACK_TYPE = "pulumi:pulumi:Stack"


class Report(Protocol):
    """Where a check puts its violations; `urn` names the culprit to a stack rule."""

    def __call__(self, message: str, urn: str | None = None) -> None:
        """Report one violation."""


class Scope(Enum):
    """Where a rule judges."""

    ANY = "any Pulumi Kubernetes program"
    ROOT = "what lies below a Synapse root, and what shares its cluster"
    BUDGET = (
        "what lies below a Synapse root; in any other program where its settings name the machine"
    )


@dataclass(frozen=True)
class About:
    """What the page about a rule says of it beyond its name, description and severity."""

    reason: str
    """Why what it refuses does harm."""
    cure: str
    """What to do about a violation."""
    settings: type[BaseModel]
    """Its typed config; `exceptions` comes on top."""
    scope: Scope


class ResourceRule(ResourceValidationPolicy):
    """Judges one resource before it is created."""

    about: About


class StackRule(StackValidationPolicy):
    """Judges all resources of the stack together."""

    about: About


Rule = ResourceRule | StackRule
RuleT = TypeVar("RuleT", ResourceRule, StackRule)
SettingsT = TypeVar("SettingsT", bound=BaseModel)


class Said(TypedDict):
    """What every rule says of itself."""

    name: str
    """kebab-case; what is refused or held."""
    description: str
    """What it holds, in one line."""
    reason: str
    """Why the opposite does harm."""
    cure: str
    """What to do about a violation."""
    severity: NotRequired[EnforcementLevel]
    """What a violation does, unless the pack's config says otherwise; mandatory by default."""
    scope: NotRequired[Scope]
    """Where it judges; in any program by default."""


@overload
def resource_rule(
    *,
    check: Callable[[ResourceValidationArgs, Report], None],
    settings: None = ...,
    **said: Unpack[Said],
) -> ResourceRule: ...


@overload
def resource_rule(
    *,
    check: Callable[[ResourceValidationArgs, Report, SettingsT], None],
    settings: type[SettingsT],
    **said: Unpack[Said],
) -> ResourceRule: ...


def resource_rule(
    *,
    check: Callable[..., None],
    settings: type[BaseModel] | None = None,
    **said: Unpack[Said],
) -> ResourceRule:
    """Make a rule that judges one resource before it is created.

    Args:
        check: Reports violations; gets the settings as well where there are any.
        settings: A frozen pydantic model with defaults: the rule's typed config.
        **said: What it says of itself.
    """
    about = _about(said, settings)
    bench = _Bench(said["name"], about, with_settings=settings is not None)

    def validate(args: ResourceValidationArgs, report: ReportViolation) -> None:
        bench.judge(
            f"{args.resource_type} {args.name!r}",
            args.get_config(),
            report,
            at_stack=args.resource_type == STACK_TYPE,
            subject_at=lambda _: subject_of(args.urn, args.resource_type, args.props),
            check=lambda desk, *configured: check(args, desk, *configured),
        )

    return _made(ResourceRule, validate, about, said)


@overload
def stack_rule(
    *,
    check: Callable[[StackValidationArgs, Report], None],
    settings: None = ...,
    **said: Unpack[Said],
) -> StackRule: ...


@overload
def stack_rule(
    *,
    check: Callable[[StackValidationArgs, Report, SettingsT], None],
    settings: type[SettingsT],
    **said: Unpack[Said],
) -> StackRule: ...


def stack_rule(
    *,
    check: Callable[..., None],
    settings: type[BaseModel] | None = None,
    **said: Unpack[Said],
) -> StackRule:
    """Make a rule that judges all resources of the stack together; arguments as above."""
    about = _about(said, settings)
    bench = _Bench(said["name"], about, with_settings=settings is not None)

    def validate(args: StackValidationArgs, report: ReportViolation) -> None:
        bench.judge(
            "the stack",
            args.get_config(),
            report,
            at_stack=True,
            subject_at=lambda urn: _subject_among(args.resources, urn),
            check=lambda desk, *configured: check(args, desk, *configured),
        )

    return _made(StackRule, validate, about, said)


def _about(said: Said, settings: type[BaseModel] | None) -> About:
    return About(said["reason"], said["cure"], settings or NoSettings, said.get("scope", Scope.ANY))


def _made(kind: type[RuleT], validate: Callable[..., None], about: About, said: Said) -> RuleT:
    rule = kind(
        name=said["name"],
        description=said["description"],
        validate=validate,
        enforcement_level=said.get("severity", EnforcementLevel.MANDATORY),
        config_schema=config_schema(about.settings),
        remediation_steps=said["cure"],
    )
    rule.about = about
    return rule


def _subject_among(resources: Iterable[PolicyResource], urn: str | None) -> Subject:
    found = next((one for one in resources if urn and one.urn == urn), None)
    return subject_of(found.urn, found.resource_type, found.props) if found else STACK


class _Bench:
    """Where one rule judges: reads its config, calls its check, and reports what it finds."""

    def __init__(self, rule: str, about: About, *, with_settings: bool) -> None:
        self._rule = rule
        self._about = about
        self._config = ConfigReader(about.settings)
        self._with_settings = with_settings
        self._config_problem: str | None = None

    def judge(
        self,
        label: str,
        config: object,
        report: ReportViolation,
        *,
        at_stack: bool,
        subject_at: Callable[[str | None], Subject],
        check: Callable[..., None],
    ) -> None:
        """Judge one subject. Whatever goes wrong is a violation: the rule fails closed.

        Left to the SDK, an unknown value would turn a mandatory rule advisory.
        """
        read = self._config.read(config)
        if isinstance(read, str):
            if at_stack or read != self._config_problem:  # else it has been said
                self._config_problem = read
                report(f"the config of rule {self._rule!r} is invalid: {read}", None)
            return
        desk = Desk(self._rule, read.exceptions, report, subject_at, self._with_words)
        if at_stack:
            desk.report_expired()
        try:
            check(desk, *((read.settings,) if self._with_settings else ()))
        except UnknownValueError as unknown:
            desk(
                f"{label} cannot be judged: {unknown.message}, and an unproven value counts as a "
                "violation; give it as a plain value, not as another resource's output"
            )
        except UnreadableError as unreadable:
            desk(f"{label} cannot be judged: {unreadable}")
        except Exception as problem:  # noqa: BLE001  a rule that breaks refuses, without traceback
            desk(
                f"{label} cannot be judged: the rule itself failed with {problem!r}, which is a "
                "fault of the pack; report it with the resource"
            )

    def _with_words(self, message: str) -> str:
        return f"{message}\n  why: {self._about.reason}\n  cure: {self._about.cure}"
