"""Who asks: a key or token, given, or found in the environment; it never appears in a text."""

import os
from typing import Final

from gridcast.domain.errors import UsageError
from gridcast.settings.secret import read_secret

KEY_VARIABLE: Final = "GRIDCAST_API_KEY"
KEY_FILE_VARIABLE: Final = "GRIDCAST_API_KEY_FILE"


def find_secret(*, key: str | None, token: str | None) -> str | None:
    """The API key or token given, else the key in the file or the variable of the environment, else None.

    Raises:
        UsageError: both were given, or it is nothing that fits into a header.
    """
    if key is not None and token is not None:
        raise UsageError("a key and a token were given; expected one of them.")
    given = token if key is None else key
    if given is None:
        given = read_secret(env=KEY_VARIABLE, file=os.environ.get(KEY_FILE_VARIABLE) or None, what="API key")
    if given is not None and not (given.isascii() and given.isprintable() and given.strip() == given and given):
        raise UsageError(
            "the API key or token is empty or holds blanks, line ends or other characters that no key has; expected "
            "it as it was issued."
        )
    return given
