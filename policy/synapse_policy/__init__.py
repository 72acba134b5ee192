"""The second, independent lock: own sums from the resources, and no import of `synapse.plan`."""
