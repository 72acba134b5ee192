"""vLLM's time line: which version does what, so that a formula asks a fact and not a number."""

import re
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, PositiveFloat, StringConstraints

VersionText = Annotated[str, StringConstraints(pattern=r"^v?\d+\.\d+(\.\d+)?([.\-+]?[\w.\-]+)?$")]
Version = tuple[int, int, int]

_BACKEND_VARIABLE = "VLLM_ATTENTION_BACKEND"

Sampler = Literal["v0", "v1-sort", "v1-lean"]


def parse_version(text: str) -> Version:
    """(major, minor, patch) of "0.20.2", "v0.9" or "v0.20.2-cu129-ubuntu2404".

    Raises:
        ValueError: the text does not begin with a version.
    """
    found = re.match(r"v?(\d+)\.(\d+)(?:\.(\d+))?", text)
    if found is None:
        raise ValueError(f"{text!r} is not a version; write it as 0.20.2")
    major, minor, patch = found.groups(default="0")
    return int(major), int(minor), int(patch)


class _Fact(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class CapabilitySupport(_Fact):
    """From which version the stock image carries kernels for a compute capability."""

    compute_capability: str
    since: VersionText
    broken: tuple[VersionText, ...] = ()
    source: str


class Change(_Fact):
    """A behaviour that changed in one version."""

    since: VersionText
    source: str


class Withdrawn(Change):
    """A flag or an environment variable that is not read from one version on."""

    name: str
    instead: str


class EngineRelease(_Fact):
    """One version of the engine with the facts that hold for it."""

    version: str
    v1: bool
    sampler: Sampler
    graphs_inside_budget: bool
    hybrid_kv_manager: bool
    attention_backend_flag: bool
    attention_backend_env: bool
    default_utilization: PositiveFloat
    kv_usage_metric: str
    unsupported: dict[str, str]
    withdrawn: tuple[Withdrawn, ...]

    def refusal(self, compute_capability: str) -> str | None:
        """Why this version cannot run on that card, or None if it can."""
        return self.unsupported.get(compute_capability)


class EngineReleases(_Fact):
    """The versions at which something the plan relies on changed."""

    v1_default: Change
    lean_sampler: Change
    graphs_inside_budget: Change
    hybrid_kv_manager: Change
    attention_backend_flag: Change
    higher_default_utilization: Change
    kv_usage_metric_renamed: Change
    capabilities: tuple[CapabilitySupport, ...]
    withdrawn: tuple[Withdrawn, ...]

    def release(self, version: str) -> EngineRelease:
        """The facts of one version.

        Raises:
            ValueError: the text is not a version.
        """
        asked = parse_version(version)

        def since(change: Change) -> bool:
            return asked >= parse_version(change.since)

        withdrawn = tuple(one for one in self.withdrawn if since(one))
        v1 = since(self.v1_default)
        sampler: Sampler = "v0"
        if v1:
            sampler = "v1-lean" if since(self.lean_sampler) else "v1-sort"
        return EngineRelease(
            version=version,
            v1=v1,
            sampler=sampler,
            graphs_inside_budget=since(self.graphs_inside_budget),
            hybrid_kv_manager=since(self.hybrid_kv_manager),
            attention_backend_flag=since(self.attention_backend_flag),
            attention_backend_env=all(one.name != _BACKEND_VARIABLE for one in withdrawn),
            default_utilization=0.92 if since(self.higher_default_utilization) else 0.9,
            kv_usage_metric=(
                "vllm:kv_cache_usage_perc"
                if since(self.kv_usage_metric_renamed)
                else "vllm:gpu_cache_usage_perc"
            ),
            unsupported=self._unsupported(asked),
            withdrawn=withdrawn,
        )

    def _unsupported(self, asked: Version) -> dict[str, str]:
        refused: dict[str, str] = {}
        for support in self.capabilities:
            broken = {parse_version(version) for version in support.broken}
            if asked >= parse_version(support.since) and asked not in broken:
                continue
            exceptions = f" and not {', '.join(support.broken)}" if support.broken else ""
            refused[support.compute_capability] = (
                f"compute capability {support.compute_capability} needs vLLM >= "
                f"{support.since}{exceptions} ({support.source})"
            )
        return refused
