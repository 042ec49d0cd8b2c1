"""What must not stand in a log is taken out: keys, tokens, passwords, also inside texts and URLs."""

import math
import re
from collections.abc import Mapping
from typing import Final

REDACTED: Final = "[redacted]"
KEY_PREFIX: Final = "gck_"
"""Of API keys."""

_NAMES: Final = r"(?:authorization|cookie|passw(?:or)?d|pwd|secret|token|api[-_]?key|private[-_]?key|credentials?)"
_IS_SECRET: Final = re.compile(rf"[\w-]*{_NAMES}", re.IGNORECASE)
_VALUE: Final = r"""(?:"[^"]*"|'[^']*'|[^\s"'&,;)}\]]+)"""
_PATTERNS: Final = (
    (r"-----BEGIN [A-Z ]*PRIVATE KEY-----.*?(?:-----END [A-Z ]*PRIVATE KEY-----|\Z)", REDACTED),
    (r"(://[^/\s:@]*):[^/\s]*@", rf"\1:{REDACTED}@"),
    (r"\b(bearer|basic)\s+[\w.~+/=-]{6,}", rf"\1 {REDACTED}"),
    (rf"\b{KEY_PREFIX}[\w-]+", REDACTED),
    (r"\beyJ[\w-]+\.[\w-]+(?:\.[\w-]*)?", REDACTED),
    (rf"""({_NAMES}["']?\s*[=:]\s*){_VALUE}""", rf"\1{REDACTED}"),
)
_FINDERS: Final = tuple((re.compile(pattern, re.IGNORECASE | re.DOTALL), by) for pattern, by in _PATTERNS)
_IS_WORTH_IT: Final = re.compile(rf"private key|://|bearer|basic|{KEY_PREFIX}|eyj|{_NAMES}", re.IGNORECASE)
"""Something of every pattern: most texts hold nothing of any."""


def without_secrets(value: object, *, name: str = "") -> object:
    """A value as it may be logged under a name: texts without secrets, all of it gone if the name is a secret's.

    >>> without_secrets({"password": "x", "url": "postgresql://me:x@db/grid"})
    {'password': '[redacted]', 'url': 'postgresql://me:[redacted]@db/grid'}
    """
    if name and _IS_SECRET.fullmatch(name) and isinstance(value, str | bytes | list | tuple):
        return REDACTED
    if isinstance(value, str):
        return text_without_secrets(value)
    if isinstance(value, Mapping):
        return {text_without_secrets(str(key)): without_secrets(each, name=str(key)) for key, each in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [without_secrets(each) for each in value]
    if value is None or isinstance(value, bool | int) or (isinstance(value, float) and math.isfinite(value)):
        return value
    return text_without_secrets(str(value))


def text_without_secrets(text: str) -> str:
    """A text without what stands in it as a key, token or password.

    >>> text_without_secrets("GET /v1/me with Authorization: Bearer gck_abcdefgh")
    'GET /v1/me with Authorization: [redacted] [redacted]'
    """
    if _IS_WORTH_IT.search(text):
        for pattern, by in _FINDERS:
            text = pattern.sub(by, text)
    return text
