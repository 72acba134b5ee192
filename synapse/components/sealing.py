"""Values sealed for one Secret of one namespace, by the `kubeseal` program."""

import subprocess

import pulumi

_TIMEOUT_SECONDS = 30


def seal(value: str, certificate: str, secret: str, namespace: str) -> str:
    """Encrypt a value so that only the cluster's controller can read it, and only as this Secret.

    Raises:
        pulumi.RunError: kubeseal is missing or refuses; the value is never in the message.
    """
    command = ["kubeseal", "--raw", "--from-file=/dev/stdin", "--scope=strict"]
    target = [f"--cert={certificate}", f"--name={secret}", f"--namespace={namespace}"]
    try:
        done = subprocess.run(
            [*command, *target],
            input=value,
            capture_output=True,
            text=True,
            check=True,
            timeout=_TIMEOUT_SECONDS,
        )
    except FileNotFoundError:
        raise pulumi.RunError(
            "target.secrets = sealed needs the program kubeseal, which is not on PATH; install it, "
            "or set target.secrets to omit"
        ) from None
    except subprocess.CalledProcessError as error:
        raise pulumi.RunError(
            f"kubeseal refuses to seal {namespace}/{secret} with target.sealing_certificate = "
            f"{certificate}: {error.stderr.strip()}; fetch the certificate with "
            "`kubeseal --fetch-cert`"
        ) from None
    except subprocess.TimeoutExpired:
        raise pulumi.RunError(f"kubeseal took more than {_TIMEOUT_SECONDS} s") from None
    return done.stdout.strip()
