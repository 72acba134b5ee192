"""How long `pulumi up` waits for an object before it says that it failed."""

import pulumi

# A first start pulls an image of some GiB; the awaiter's own ten minutes are for small ones.
ROLLOUT_SECONDS = 1800


def wait_up_to(seconds: int) -> pulumi.ResourceOptions:
    """Wait this long for creation and update."""
    wait = f"{seconds}s"
    return pulumi.ResourceOptions(custom_timeouts=pulumi.CustomTimeouts(create=wait, update=wait))


# Scaled by `python -m synapse swap` from their creation on: an update must not fight it.
REPLICAS_ARE_THE_SWAPS = ["spec.replicas"]
