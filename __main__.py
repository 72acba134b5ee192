"""Settings → plan → refuse or build → export: the whole program."""

import gc
import os

import pulumi

# Pydantic looks through all installed packages for plugins of its own; there are none.
os.environ["PYDANTIC_DISABLE_PLUGINS"] = "__all__"
gc.disable()  # there is no garbage among the thousands of things that modules make

from synapse.catalogue import load_catalogue
from synapse.plan.build import make_plan
from synapse.program import build, refuse_an_unfit_cluster, refuse_what_does_not_fit
from synapse.settings import pulumi_config
from synapse.settings.problems import SettingsError

gc.freeze()  # they stay: nobody need look through them again
gc.enable()

try:
    config = pulumi_config.read()
except SettingsError as error:
    raise pulumi.RunError(str(error)) from None

plan = make_plan(config.settings, load_catalogue())
refuse_what_does_not_fit(plan)
refuse_an_unfit_cluster(plan, config.settings)
stack = build(plan, config)

pulumi.export("phase", plan.phase)
pulumi.export("target", config.settings.target.kind.value)
pulumi.export("endpoints", stack.endpoints)
if stack.gateway_key is not None:
    pulumi.export("gateway_key", stack.gateway_key)
