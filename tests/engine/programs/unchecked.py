"""The program without its own check: only the policy pack is left to refuse."""

from synapse.catalogue import load_catalogue
from synapse.plan.build import make_plan
from synapse.program import build
from synapse.settings import pulumi_config

config = pulumi_config.read()
build(make_plan(config.settings, load_catalogue()), config)
