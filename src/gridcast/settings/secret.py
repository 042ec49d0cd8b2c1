"""Passwords and keys: from the environment or a file of their own, never from the settings themselves."""

import os
from pathlib import Path

from gridcast.domain.errors import UsageError


def read_secret(*, env: str | None, file: str | None, what: str) -> str | None:
    """The secret in `file` (its first line), else in the environment variable `env`, else None.

    Raises:
        UsageError: the file cannot be read or is empty.
    """
    if file is None:
        return (os.environ.get(env) or None) if env is not None else None
    try:
        lines = Path(file).read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"{what}: {file} cannot be read ({error}); expected a file with it as first line.") from error
    if not lines or not lines[0].strip():
        raise UsageError(f"{what}: {file} is empty; expected it as first line.")
    return lines[0].strip()


def require_secret(*, env: str | None, file: str | None, what: str) -> str:
    """The same, but it has to be there.

    Raises:
        UsageError: it is in neither place.
    """
    secret = read_secret(env=env, file=file, what=what)
    if secret is None:
        raise UsageError(
            f"{what}: not set; expected it in the environment variable {env} or in a file named in the settings."
        )
    return secret
