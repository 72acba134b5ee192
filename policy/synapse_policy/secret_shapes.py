"""What looks like a secret: by the shape of a value, or by a name that has a literal value.

Nothing here returns or prints a value: what is found is said by its kind.
"""

import re
from collections.abc import Iterator
from functools import lru_cache

from synapse_policy.word_sets import word_set

_TOKENS = {
    "a Hugging Face token": r"hf_[A-Za-z0-9]{20,}",
    "an API key (sk-…)": r"sk-[A-Za-z0-9_-]{16,}",
    "a GitHub token": r"(?:gh[pousr]_[A-Za-z0-9]{30,}|github_pat_[A-Za-z0-9_]{30,})",
    "a GitLab token": r"glpat-[A-Za-z0-9_-]{18,}",
    "an AWS access key": r"(?:AKIA|ASIA)[A-Z0-9]{16}",
    "a Google API key": r"AIza[A-Za-z0-9_-]{35}",
    "a Slack token": r"xox[abprs]-[A-Za-z0-9-]{10,}",
    "a Stripe key": r"[rs]k_live_[A-Za-z0-9]{16,}",
    "a Pulumi token": r"pul-[0-9a-f]{40}",
    "an npm token": r"npm_[A-Za-z0-9]{36}",
    "a Docker Hub token": r"dckr_pat_[A-Za-z0-9_-]{20,}",
    "an NVIDIA API key": r"nvapi-[A-Za-z0-9_-]{20,}",
    "a Groq API key": r"gsk_[A-Za-z0-9]{20,}",
    "a JSON web token": r"eyJ[A-Za-z0-9_-]{8,}\.eyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{8,}",
}
_SHAPES = {kind: re.compile(rf"(?<![A-Za-z0-9_-]){shape}") for kind, shape in _TOKENS.items()}
_PRIVATE_KEY = re.compile(r"-----BEGIN [A-Z ]*PRIVATE KEY-----")
_URL_PASSWORD = re.compile(r"\b[a-z][a-z0-9+.-]*://[^\s/:@\"'`]*:([^\s/@\"'`]+)@", re.IGNORECASE)
_HEADER = re.compile(r"\b(?:Bearer|Basic)\s+([A-Za-z0-9._~+/=-]{12,})")
_CURL_USER = re.compile(r"\bcurl\b[^|;&]*\s(?:-u|--user)[\s=]*['\"]?[\w.-]+:([^\s'\"]+)")

_REFERENCE = re.compile(
    r"""(?: \$\(\w+\) | \$\{[^}]*\} | \$\w+ | \$\([^)]*\) | `[^`]*` | \{\{.*\}\} | %\(\w+\)s
        | <[^>]*> | os\.environ/\S+ | (?:env|file|vault|secretref|ref\+\w+|op|arn):\S+
        | \*+ | x{3,} | \.{3}|… )+""",
    re.VERBOSE | re.IGNORECASE,
)
_NO_VALUE = word_set(
    "none null nil true false yes no on off empty dummy unset default disabled enabled auto "
    "required optional not-needed notneeded no-key changeme-in-secret redacted"
)
_PATH = re.compile(r"(?:/|\./|~/)[\w.@-]+(?:/[\w.@-]+)+/?|/[\w@-]+\.[\w.-]+")
_NUMBER = re.compile(r"[+-]?\d+(?:\.\d+)?")
_WORD = re.compile(r"[A-Z]+(?=[A-Z][a-z])|[A-Z]?[a-z]+|[A-Z]+|\d+")

_ALWAYS = word_set("PASSWORD PASSWD PASSPHRASE PASSWORT")
_NUMBERS_TOO = _ALWAYS
"""A password may be a number; a token or key that is one is a count or an id."""
_BEFORE_KEY = word_set(
    "API MASTER SECRET ACCESS PRIVATE ENCRYPTION SIGNING SALT AUTH SERVICE LICENSE LICENCE ADMIN "
    "ACCOUNT STORAGE SESSION HMAC CLIENT"
)
_NO_SECRET_TOKEN = word_set(
    "EOS BOS PAD UNK SEP CLS MASK STOP MAX MIN PER FIRST LAST NEXT IMAGE AUDIO SPECIAL START END "
    "THINK ACCOUNT"
)
_BEFORE_SECRET = word_set(
    "CLIENT JWT APP WEBHOOK SHARED SESSION COOKIE OAUTH SIGNING CONSUMER API ACCESS KEY HMAC "
    "NEXTAUTH ADMIN ENCRYPTION"
)
_ASSIGNMENT = re.compile(
    r"""^\s*(?:-\s+)?(?:export\s+)?["']?([\w.-]+)["']?\s*[:=]\s*(.*?)\s*,?\s*$"""
)
_INLINE = re.compile(r"""(?<![\w$])([A-Za-z_]\w*)=("[^"]*"|'[^']*'|[^\s;&|]+)""")
_PAIR_WITHIN = re.compile(r"""[{,]\s*["']?([\w.-]+)["']?\s*:\s*["']?([^,}"']+)""")
_QUOTES = ('"', "'")
_PROGRAMS = (".py", ".js", ".ts", ".lua", ".go", ".rb")
_KEPT = 8192
"""Texts: most stand in many resources, such as labels, and each is looked at for twenty shapes."""
_FLAG = re.compile(r"--?([A-Za-z][\w-]*)(?:=(.*))?", re.DOTALL)


@lru_cache(maxsize=_KEPT)
def by_value(value: str) -> str | None:
    """Return what kind of secret a text holds, by its shape; None for none."""
    if _PRIVATE_KEY.search(value):
        return "a private key"
    for kind, shape in _SHAPES.items():
        found = shape.search(value)
        if found is not None and not _is_filler(found[0]):
            return kind
    for kind, shape in (
        ("a URL with a password", _URL_PASSWORD),
        ("an Authorization header", _HEADER),
        ("a user's password", _CURL_USER),
    ):
        found = shape.search(value)
        if found is not None and is_literal(found[1]):
            return kind
    return None


def is_secret_name(name: str) -> bool:
    """Whether a variable, flag or key of this name holds a secret: `API_KEY`, not `MAX_TOKENS`."""
    words = [word.upper() for word in _WORD.findall(name)]
    if not words:
        return False
    last, before = words[-1], words[-2] if len(words) > 1 else ""
    if last in _ALWAYS:
        return True
    if last in ("TOKEN", "PAT"):
        return before not in _NO_SECRET_TOKEN and (
            last == "TOKEN" or before in ("GITHUB", "GITLAB")
        )
    if last in ("KEY", "APIKEY"):
        return last == "APIKEY" or before in _BEFORE_KEY
    if last == "SECRET":
        return before in _BEFORE_SECRET
    return last in ("CREDENTIAL", "CREDENTIALS") and bool(before)


def is_secret_variable(name: str) -> bool:
    """Whether an environment variable of this name holds a secret; any …_KEY or …_SECRET may."""
    upper = name.upper()
    if is_secret_name(name):
        return True
    words = upper.split("_")
    if len(words) < 2:
        return upper in ("SECRET", "PGPASSWORD")
    if words[-1] == "KEY":
        return words[-2] not in _NO_SECRET_KEY
    return words[-1] == "SECRET" and words[-2] not in ("IMAGE", "PULL", "TLS", "EXISTING")


_NO_SECRET_KEY = word_set(
    "PUBLIC PUB PARTITION SORT ROUTING CACHE PRIMARY FOREIGN OBJECT SHARD LABEL ANNOTATION "
    "TOPOLOGY GROUP INDEX LOOKUP HASH NODE MESSAGE KEYBOARD HOT TAINT SSM BUCKET S3 FILE "
    "IDEMPOTENCY DEDUP ORDER TRACE FEATURE MAP LOCK"
)


def is_literal(value: str, name: str = "") -> bool:
    """Whether a value is one, and no reference, path, switch or placeholder."""
    plain = value.strip().strip("\"'").strip()
    if not plain or plain.lower() in _NO_VALUE or _REFERENCE.fullmatch(plain):
        return False
    if _PATH.fullmatch(plain) or plain.startswith(("os.environ/", "$(", "${", "{{")):
        return False
    if _is_filler(plain):
        return False
    words = [word.upper() for word in _WORD.findall(name)]
    is_password = bool(words) and words[-1] in _NUMBERS_TOO
    return is_password or not _NUMBER.fullmatch(plain)


def in_text(text: str, file: str = "") -> Iterator[tuple[str, str]]:
    """Yield what in a file's text is a secret: the line's name, and what kind of secret it is.

    In a program only what stands in quotes is a value: `api_key: str` names a type.
    """
    is_program = file.endswith(_PROGRAMS)
    for number, line in enumerate(text.splitlines(), start=1):
        kind = by_value(line)
        pairs = [*filter(None, [_ASSIGNMENT.match(line)]), *_PAIR_WITHIN.finditer(line)]
        named = [
            pair[1]
            for pair in pairs
            if (_is_quoted(line, pair) or not is_program)
            and is_secret_name(pair[1])
            and is_literal(pair[2], pair[1])
        ]
        if named:
            yield f"line {number}, {named[0]}", kind or "a literal value"
        elif kind is not None:
            yield f"line {number}", kind


def _is_quoted(line: str, pair: re.Match[str]) -> bool:
    start = pair.start(2)
    return line[start - 1 : start] in _QUOTES or line[start : start + 1] in _QUOTES


def in_words(words: tuple[str, ...]) -> Iterator[tuple[str, str]]:
    """Yield what in a command is a secret: its flag or variable, and what kind of secret it is."""
    told: set[int] = set()
    for index, word in enumerate(words):
        flag = _FLAG.fullmatch(word)
        if flag is not None and is_secret_name(flag[1]):
            following = words[index + 1] if index + 1 < len(words) else ""
            value = flag[2] if flag[2] is not None else following
            if not value.startswith("-") and is_literal(value, flag[1]):
                told |= {index, index + 1}
                yield f"--{flag[1]}", by_value(value) or "a literal value"
                continue
        if index in told:
            continue
        for name, value in _told_within(word):
            told.add(index)
            yield name, by_value(value) or "a literal value"
        kind = by_value(word)
        if kind is not None and index not in told:
            yield f"word {index + 1}", kind


def _told_within(word: str) -> Iterator[tuple[str, str]]:
    """Yield assignments and flags inside a shell's one string."""
    for found in _INLINE.finditer(word):
        if is_secret_variable(found[1]) and is_literal(found[2], found[1]):
            yield found[1], found[2]
    if re.search(r"\s", word):
        for found in re.finditer(r"--([a-z][\w-]*)[\s=]+(\"[^\"]*\"|'[^']*'|[^\s;&|-]\S*)", word):
            if is_secret_name(found[1]) and is_literal(found[2], found[1]):
                yield f"--{found[1]}", found[2]


def _is_filler(token: str) -> bool:
    """Whether a token is a placeholder: `sk-xxxxxxxxxxxxxxxx`, `hf_********`."""
    body = re.split("[-_]", token, maxsplit=1)[-1]
    return set(body.lower()) <= set("x*.0") and len(body) > 2
