"""A stack file without its secrets."""

from pathlib import Path

import yaml


def without_secrets(config: Path, scratch: Path) -> Path:
    """Copy a stack file without what is encrypted in it: nobody has to give his passphrase."""
    document = yaml.safe_load(config.read_text(encoding="utf-8"))
    plain = {
        key: value
        for key, value in document["config"].items()
        if not (isinstance(value, dict) and set(value) == {"secure"})
    }
    copy = scratch / "settings.yaml"
    copy.write_text(yaml.safe_dump({"config": plain}), encoding="utf-8")
    return copy
