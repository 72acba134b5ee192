"""The keys that the gateway accepts: the operator's, or generated ones; and the one before."""

import pulumi
from pulumi_command.local import Command, Logging

from synapse.components.secrets import Secrets

CURRENT, PREVIOUS = "key", "previous"
# Kept in the state as a secret; a line that never changes, or the key would.
_GENERATE = "openssl rand -hex 24"


def gateway_keys(
    name: str, version: int, secrets: Secrets, opts: pulumi.ResourceOptions
) -> dict[str, pulumi.Output[str]]:
    """The accepted keys, by their part in the rotation.

    A generated key belongs to a version. The version before is kept as long as the current one
    stands, so raising the version changes the key, and the one in use stays accepted.
    """
    if secrets.gateway_key is not None:
        given = {CURRENT: secrets.gateway_key, PREVIOUS: secrets.gateway_previous_key}
        return {part: key for part, key in given.items() if key is not None}
    keys = {CURRENT: _generated(name, version, opts)}
    if version > 1:
        keys[PREVIOUS] = _generated(name, version - 1, opts)
    return keys


def _generated(name: str, version: int, opts: pulumi.ResourceOptions) -> pulumi.Output[str]:
    hidden = pulumi.ResourceOptions(additional_secret_outputs=["stdout"])
    made = Command(
        f"{name}-v{version}",
        create=_GENERATE,
        logging=Logging.NONE,
        opts=pulumi.ResourceOptions.merge(opts, hidden),
    )
    return pulumi.Output.secret(made.stdout.apply(lambda random: f"sk-{random.strip()}"))
