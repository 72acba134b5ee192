"""Values sealed by the real kubeseal, and opened again with the controller's key."""

import base64
import datetime
import json
import subprocess
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from rich.console import Console

from synapse.components.sealing import seal
from tools.toolchain import ensure

SECRET, NAMESPACE, VALUE = "litellm-master-key", "llm-infra", "sk-not-a-real-one"
_SECONDS = 60


@pytest.fixture(scope="module")
def kubeseal() -> Path:
    return ensure(["kubeseal"], Console()).path("kubeseal")


@pytest.fixture
def controller(tmp_path: Path) -> Path:
    """A controller's key in `key.pem`, and its certificate in `certificate.pem`."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "sealed-secrets")])
    now = datetime.datetime.now(datetime.UTC)
    certificate = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now)
        .not_valid_after(now + datetime.timedelta(days=1))
        .sign(key, hashes.SHA256())
    )
    (tmp_path / "certificate.pem").write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    (tmp_path / "key.pem").write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    return tmp_path


def _unseal(
    kubeseal: Path, controller: Path, encrypted: str, secret: str
) -> subprocess.CompletedProcess[str]:
    metadata = {"name": secret, "namespace": NAMESPACE}
    sealed = {
        "apiVersion": "bitnami.com/v1alpha1",
        "kind": "SealedSecret",
        "metadata": metadata,
        "spec": {"encryptedData": {"key": encrypted}, "template": {"metadata": metadata}},
    }
    return subprocess.run(
        [kubeseal, "--recovery-unseal", f"--recovery-private-key={controller / 'key.pem'}"],
        input=json.dumps(sealed),
        capture_output=True,
        text=True,
        timeout=_SECONDS,
        check=False,
    )


@pytest.mark.engine
def test_only_the_controller_opens_what_is_sealed_and_only_as_the_secret_that_it_is_for(
    kubeseal: Path, controller: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(kubeseal.parent))
    encrypted = seal(VALUE, str(controller / "certificate.pem"), SECRET, NAMESPACE)
    assert VALUE not in encrypted

    opened = _unseal(kubeseal, controller, encrypted, SECRET)
    assert opened.returncode == 0, opened.stderr
    assert base64.b64decode(json.loads(opened.stdout)["data"]["key"]).decode() == VALUE

    assert _unseal(kubeseal, controller, encrypted, "another-secret").returncode != 0
