"""Secrets in variables, arguments, ConfigMaps and annotations."""

import pytest

from tests.policy.forge import Json
from tests.policy.judge import UNKNOWN, judge_resource, said
from tests.policy.one_rule import deployment, made, theirs

RULE = "no-secret-in-the-clear"
# Each is nobody's, and has the shape of somebody's.
HF, SK = "hf_" + "aB3dE5gH7jK9mN1pQ3sT5v", "sk-" + "aB3dE5gH7jK9mN1pQ3"
GITHUB, AWS = "ghp_" + "aB3dE5gH7jK9mN1pQ3sT5vW7yZ9aB3dE5gH7", "AKIA" + "ABCDEFGHIJKL2345"
JWT = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0NSJ9.abcdefghijklmnop"
PEM = "-----BEGIN RSA PRIVATE KEY-----\nMIIE\n-----END RSA PRIVATE KEY-----\n"
SHAPED = [HF, SK, GITHUB, AWS, JWT, PEM, "postgres://me:hunter22@db/x", f"Bearer {HF}"]


def _variable(name: str, value: object) -> Json:
    return deployment("it", {"image": "a:1", "env": [{"name": name, "value": value}]})


def _arguments(*words: str, key: str = "args") -> Json:
    return deployment("it", {"image": "a:1", key: list(words)})


def _file(text: str, name: str = "config.yaml") -> Json:
    return made("ConfigMap", "it", data={name: text})


@pytest.mark.parametrize("value", SHAPED)
@pytest.mark.parametrize(
    "there",
    [
        lambda value: _variable("SETTING", value),
        lambda value: _arguments("--setting", value),
        lambda value: _arguments("sh", "-c", f"run '{value}'", key="command"),
        lambda value: _file(f"setting: {value}"),
        lambda value: _file(value, "setting"),
        lambda value: made("ConfigMap", "it", metadata={"annotations": {"setting": value}}),
        lambda value: made("Thing", "it", api="example.com/v1", spec={"deep": [{"er": value}]}),
    ],
)
def test_a_value_with_the_shape_of_a_secret_is_refused_and_never_shown(
    there: object, value: str
) -> None:
    assert callable(there)
    message = theirs(RULE, there(value))
    assert "in the clear" in message
    assert all(part not in message for part in (value, "hunter22", value[4:14]))


@pytest.mark.parametrize(
    "name",
    [
        "HF_TOKEN",
        "LITELLM_MASTER_KEY",
        "OPENAI_API_KEY",
        "POSTGRES_PASSWORD",
        "CLIENT_SECRET",
        "AWS_SECRET_ACCESS_KEY",
        "WEBHOOK_KEY",
        "MY_SECRET",
        "TOKEN",
    ],
)
@pytest.mark.parametrize("value", ["sk-1234", "correct horse", "aB/cD+eF="])
def test_a_variable_named_after_a_secret_has_no_literal_value(name: str, value: str) -> None:
    message = theirs(RULE, _variable(name, value))
    assert f"variable {name} (spec.template.spec.containers[0].env[0])" in message
    assert value not in message


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("HF_TOKEN", ""),
        ("HF_TOKEN", "$(OTHER)"),
        ("HF_TOKEN", "${OTHER}"),
        ("API_KEY", "none"),
        ("API_KEY", "EMPTY"),
        ("API_KEY", "<your key>"),
        ("API_KEY", "os.environ/LITELLM_MASTER_KEY"),
        ("API_KEY", "/run/secrets/key"),
        ("TLS_KEY", "/certs/tls.key"),
        ("HF_TOKEN_PATH", "/run/token"),
        ("KEY_PATH", "somewhere"),
        ("API_KEY_FILE", "key.txt"),
        ("OLLAMA_KEEP_ALIVE", "5m"),
        ("MAX_TOKENS", "4096"),
        ("TOKENIZER", "cl100k_base"),
        ("TOKENIZERS_PARALLELISM", "false"),
        ("EOS_TOKEN", "</s>"),
        ("PARTITION_KEY", "region"),
        ("SSH_PUBLIC_KEY", "ssh-ed25519 AAAA"),
        ("TLS_SECRET", "wildcard-tls"),
        ("MODEL", "hugging-quants/Meta-Llama-3.1-8B-Instruct-AWQ-INT4"),
        ("URL", "postgres://me:$(PASSWORD)@db/x"),
        ("URL", "http://vllm-inference:8000/v1"),
        ("TASK", "task-abcdefghijklmnopqrstuv"),
        ("HF_TOKEN", "hf_xxxxxxxxxxxxxxxxxxxxxxxx"),
        ("ROTATE_TOKEN", "3600"),
        ("DISABLE_HF_TOKEN", "true"),
    ],
)
def test_what_only_looks_like_a_secret_passes(name: str, value: str) -> None:
    assert theirs(RULE, _variable(name, value)) == ""


def test_a_reference_passes() -> None:
    source = {"secretKeyRef": {"name": "litellm-master-key", "key": "key"}}
    variable = {"name": "LITELLM_MASTER_KEY", "valueFrom": source}
    assert theirs(RULE, deployment("it", {"image": "a:1", "env": [variable]})) == ""


@pytest.mark.parametrize(
    "words",
    [
        ("--api-key=abc1",),
        ("--api-key", "abc1"),
        ("--password", "12345"),
        ("--master_key", "abc1"),
        ("sh", "-c", "export HF_TOKEN=abc1; run"),
        ("sh", "-c", "run --token abc1 --x"),
        ("sh", "-c", "curl -u me:abc1 http://x"),
    ],
)
def test_a_secret_in_a_command_is_refused(words: tuple[str, ...]) -> None:
    for key in ("command", "args"):
        message = theirs(RULE, _arguments(*words, key=key))
        assert key in message
        assert "abc1" not in message
        assert "12345" not in message


@pytest.mark.parametrize(
    "words",
    [
        ("--api-key=$(KEY)",),
        ("--api-key", "$(KEY)"),
        ("--hf-token", "--model=x"),
        ("--max-num-batched-tokens", "8192"),
        ("--tokenizer=mistral",),
        ("--ssl-keyfile=/certs/tls.key",),
        ("sh", "-c", 'ollama pull "$MODEL"; TOKEN="$(cat /run/token)" run'),
        ("sh", "-c", "run --token $TOKEN"),
        ("curl", "-H", "Authorization: Bearer $(TOKEN)"),
        ("--key=value", "key=value"),
    ],
)
def test_a_command_without_a_secret_passes(words: tuple[str, ...]) -> None:
    assert theirs(RULE, _arguments(*words)) == ""


@pytest.mark.parametrize(
    "line",
    [
        "api_key: abc1",
        "  - password: abc1",
        'master_key: "sk-1234"',
        "TOKEN=abc1",
        '{"api_key": "abc1"}',
        "client_secret: abc1",
        "credentials: {user: x, password: 'abc1'}",
    ],
)
def test_a_line_of_a_config_file_is_refused(line: str) -> None:
    message = theirs(RULE, _file(f"a: 1\n{line}\n"))
    assert "data.config.yaml, line 2" in message
    assert "abc1" not in message


@pytest.mark.parametrize(
    "line",
    [
        "master_key: os.environ/LITELLM_MASTER_KEY",
        "api_key: none",
        "max_tokens: 100",
        "password_file: /run/password",
        "password: ${PASSWORD}",
        "bearer_token_file: /var/run/token",
        "key: value",
        "token:",
        "secretName: wildcard-tls",
        "disable_hf_tokenizer_download: true",
        "credentials: true",
    ],
)
def test_a_config_file_without_a_secret_passes(line: str) -> None:
    assert theirs(RULE, _file(f"a: 1\n{line}\n")) == ""


def test_the_key_of_a_config_map_counts() -> None:
    assert "data.API_KEY" in theirs(RULE, _file("abc1", "API_KEY"))
    assert theirs(RULE, _file("4096", "MAX_TOKENS")) == ""


def test_secrets_may_hold_secrets_and_their_annotations_may_not() -> None:
    there = made("Secret", "it", stringData={"key": SK, "password": "x"}, data={"token": "YWJj"})
    assert theirs(RULE, there) == ""
    there["metadata"]["annotations"] = {"kubectl.kubernetes.io/last-applied-configuration": SK}
    assert "annotations" in theirs(RULE, there)


def test_sealed_and_external_secrets_pass() -> None:
    sealed = made(
        "SealedSecret",
        "it",
        api="bitnami.com/v1alpha1",
        spec={"encryptedData": {"password": "AgB"}},
    )
    assert theirs(RULE, sealed) == ""
    data = [{"secretKey": "password", "remoteRef": {"key": "x"}}]
    external = made("ExternalSecret", "it", api="external-secrets.io/v1", spec={"data": data})
    assert theirs(RULE, external) == ""


@pytest.mark.parametrize(
    "annotations",
    [
        {"checksum/secret": "0a1b2c"},
        {"nginx.ingress.kubernetes.io/auth-secret": "users"},
        {"cert-manager.io/private-key-algorithm": "RSA"},
    ],
)
def test_annotations_that_name_secrets_pass(annotations: Json) -> None:
    assert theirs(RULE, made("Ingress", "it", metadata={"annotations": annotations})) == ""


def test_a_chart_is_judged_by_its_variables_alone() -> None:
    """It makes Secrets of most values, and the pack is not told which are Pulumi's secrets."""
    values: Json = {"auth": {"password": "abc1"}, "extraEnv": []}
    release = "kubernetes:helm.sh/v3:Release"
    assert said(judge_resource(release, {"values": values}, below_root=False), RULE) == ""
    values["extraEnv"] = [{"name": "HF_TOKEN", "value": "abc1"}]
    found = judge_resource(release, {"values": values}, below_root=False)
    assert "variable HF_TOKEN (values.extraEnv[0])" in said(found, RULE)


def test_init_containers_custom_resources_and_patches_count() -> None:
    container = {"name": "x", "env": [{"name": "HF_TOKEN", "value": "abc1"}]}
    pod = {"initContainers": [container]}
    assert "initContainers[0]" in theirs(RULE, deployment("it", {"image": "a:1"}, pod=pod))
    custom = made(
        "Prometheus", "it", api="monitoring.coreos.com/v1", spec={"containers": [container]}
    )
    assert "HF_TOKEN" in theirs(RULE, custom)
    patch = deployment("it", container) | {"kind": "DeploymentPatch"}
    assert "HF_TOKEN" in theirs(RULE, patch)


def test_an_unknown_value_of_a_secret_is_refused_and_another_is_not() -> None:
    assert "cannot be judged" in theirs(RULE, _variable("HF_TOKEN", UNKNOWN))
    assert theirs(RULE, _variable("MODEL", UNKNOWN)) == ""
    assert theirs(RULE, made("ConfigMap", "it", metadata={"uid": UNKNOWN}, data=UNKNOWN)) == ""
    assert "cannot be judged" in theirs(RULE, made("ConfigMap", "it", data={"API_KEY": UNKNOWN}))


@pytest.mark.parametrize(
    ("line", "refused"),
    [
        ("async def authorize(request: Request, api_key: str) -> User:", False),
        ("user = User(owner=OWNER, api_key=OWNER)", False),
        ("api_key = settings.api_key", False),
        ('api_key = "4711-swordfish"', True),
        ("caller = {'api_key': '4711-swordfish'}", True),
    ],
)
def test_in_a_program_only_what_stands_in_quotes_is_a_value(line: str, refused: bool) -> None:
    assert bool(theirs(RULE, _file(line, "hook.py"))) is refused
