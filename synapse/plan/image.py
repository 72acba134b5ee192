"""How the engine's own image is built and pushed."""

from pathlib import Path

from synapse.plan.served import EnginePlan


def build_commands(engine: EnginePlan, tool: str, context: Path) -> list[list[str]]:
    """The commands that build and push the image; a digest cannot be chosen, only the tag."""
    image = engine.image.partition("@")[0]
    return [[tool, "build", "--tag", image, str(context)], [tool, "push", image]]
