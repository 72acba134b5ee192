"""The bare program: the same objects as plain dicts; no components, no plan, no checks.

`objects.json` lies beside it: the connection, and each object with its name and options in Pulumi.
"""

import importlib
import json
import re
from pathlib import Path

import pulumi
import pulumi_kubernetes
from pulumi_kubernetes.apiextensions import CustomResource

given = json.loads(Path(__file__).with_name("objects.json").read_text(encoding="utf-8"))
provider = pulumi_kubernetes.Provider("cluster", **given["provider"])

for item in given["objects"]:
    _, version, kind = item["type"].split(":")
    group, _, version = version.partition("/")
    arguments = {
        re.sub("([A-Z])", lambda letter: "_" + letter[1].lower(), key): value
        for key, value in item["manifest"].items()
    }
    try:
        module = importlib.import_module(f"pulumi_kubernetes.{group.split('.')[0]}.{version}")
        resource = getattr(module, kind)
    except ImportError:
        resource = CustomResource
    else:
        del arguments["api_version"], arguments["kind"]
    options = item["options"]
    if "custom_timeouts" in options:
        options["custom_timeouts"] = pulumi.CustomTimeouts(**options["custom_timeouts"])
    resource(item["name"], **arguments, opts=pulumi.ResourceOptions(provider=provider, **options))
