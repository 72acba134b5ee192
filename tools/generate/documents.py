"""The documents, and where each lies."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from synapse.plan.model import Plan
from synapse.settings.settings import Settings
from tools.generate.configuration_page import configuration_page
from tools.generate.ledger_picture import ledger_picture
from tools.generate.plan_page import plan_page
from tools.generate.policies_page import policies_page
from tools.generate.project_config import with_config
from tools.generate.sharing_page import sharing_page
from tools.generate.swap_picture import swap_picture


@dataclass(frozen=True)
class Document:
    """A file and the text that it should hold."""

    path: Path
    text: str


def documents(root: Path) -> Iterator[Document]:
    """Make every document; of Pulumi.yaml only the config section is made, the rest stays."""
    project = root / "Pulumi.yaml"
    yield Document(project, with_config(project.read_text(encoding="utf-8"), Settings))
    yield Document(root / "docs" / "configuration.md", configuration_page(Settings))
    schema = Plan.model_json_schema(mode="serialization")
    yield Document(
        root / "docs" / "plan.schema.json", json.dumps(schema, indent=2, ensure_ascii=False) + "\n"
    )
    yield Document(root / "docs" / "plan.md", plan_page(schema))
    yield Document(root / "docs" / "policies.md", policies_page())
    yield Document(root / "docs" / "ledger.svg", ledger_picture(root / "Pulumi.forge.yaml"))
    recorded = root / "docs" / "swap-timeline.json"
    if recorded.exists():
        yield Document(recorded.with_suffix(".svg"), swap_picture(recorded))
    yield Document(root / "docs" / "TTS-GPU-SHARING.md", sharing_page(root))
