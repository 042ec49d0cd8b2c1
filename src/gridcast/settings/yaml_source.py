"""Reads one YAML file into a strict model and tells file, line and accepted values of whatever is refused."""

import difflib
import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import UnionType
from typing import Annotated, Any, TypeAlias, TypeVar, get_args, get_origin, get_type_hints

import yaml
from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from gridcast.domain.errors import UsageError

_Path: TypeAlias = tuple[str | int, ...]

_DURATION = "expected an ISO 8601 duration such as PT15M, PT1H or P14D"
_SECTION = "expected keys and values below it; leave it out for its defaults"
_IN_WORDS: Mapping[str, str] = {
    "time_delta_parsing": _DURATION,
    "time_delta_type": _DURATION,
    "model_type": _SECTION,
    "dataclass_type": _SECTION,
    "dict_type": _SECTION,
    "model_attributes_type": _SECTION,
    "string_type": "expected a text, in quotes if need be",
    "path_type": "expected the path of a folder",
    "string_pattern_mismatch": "expected small letters, digits and '_', a letter first",
}
"""What pydantic says about Python's types, said about YAML."""

Settings = TypeVar("Settings", bound=BaseModel)


class _Loader(yaml.SafeLoader):
    """Plain YAML; values that Python's types refuse, such as 30 February, are told with their line."""

    def construct_object(self, node: yaml.Node, deep: bool = False) -> Any:
        """The value of a node."""
        try:
            return super().construct_object(node, deep=deep)
        except (ValueError, KeyError, AttributeError) as error:
            kind = node.tag.rsplit(":", 1)[-1]
            problem = f"found {node.value!r}, an impossible {kind}; expected one that exists, or a text in quotes"
            raise yaml.constructor.ConstructorError(None, None, problem, node.start_mark) from error


@dataclass(frozen=True, slots=True)
class _Document:
    values: dict[str, Any]
    origins: Mapping[_Path, str]


def read_settings(model: type[Settings], path: Path | None, *, env_prefix: str) -> Settings:
    """Settings from `path` (None: built-in defaults), overridden by environment variables.

    A variable is named `{env_prefix}__SECTION__KEY`, its value is YAML: `GRIDCAST_MODEL__TRAINING__SEED=7`.

    Raises:
        UsageError: the file cannot be read, is not YAML, or holds an unknown key or an impossible value.
    """
    document = _Document({}, {}) if path is None else _parse(path)
    document = _override(document, env_prefix=env_prefix)
    try:
        return model.model_validate(document.values)
    except ValidationError as error:
        problems = [_explain(each, model, document, path) for each in error.errors()]
        raise UsageError("\n".join(problems)) from error


def _parse(path: Path) -> _Document:
    try:
        text = path.read_text(encoding="utf-8")
        root, values = _load(text)
    except OSError as error:
        raise UsageError(f"{path}: {error.strerror}; expected a YAML file that gridcast may read.") from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise UsageError(f"{path}: not YAML: {' '.join(str(error).split())}") from error
    if not isinstance(values, dict | None):
        raise UsageError(f"{path}:1: got a {type(values).__name__}; expected keys and values.")
    origins: dict[_Path, str] = {}
    try:
        _collect_lines(root, (), path, origins)
    except RecursionError as error:
        raise UsageError(f"{path}: an anchor is used inside itself; expected values written out.") from error
    return _Document(values or {}, origins)


def _load(text: str) -> tuple[yaml.Node | None, Any]:
    """The nodes and the values of a YAML text.

    Raises:
        yaml.YAMLError: it is not YAML, or holds a value that cannot be.
    """
    composer, constructor = _Loader(text), _Loader(text)
    try:
        return composer.get_single_node(), constructor.get_single_data()
    except RecursionError as error:
        line = max(composer.line, constructor.line) + 1
        raise yaml.YAMLError(f"line {line} is nested too deeply; expected a few levels of values.") from error


def _collect_lines(node: yaml.Node | None, at: _Path, path: Path, origins: dict[_Path, str]) -> None:
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            below = (*at, key.value)
            if below in origins:
                raise UsageError(
                    f"{path}:{key.start_mark.line + 1}: {_dotted(below)} is given twice; keep one of them."
                )
            origins[below] = f"{path}:{key.start_mark.line + 1}"
            _collect_lines(value, below, path, origins)
    elif isinstance(node, yaml.SequenceNode):
        for index, value in enumerate(node.value):
            origins[(*at, index)] = f"{path}:{value.start_mark.line + 1}"
            _collect_lines(value, (*at, index), path, origins)


def _override(document: _Document, *, env_prefix: str) -> _Document:
    values, origins = dict(document.values), dict(document.origins)
    for variable in sorted(os.environ):
        if not variable.startswith(f"{env_prefix}__"):
            continue
        keys = tuple(variable.removeprefix(f"{env_prefix}__").lower().split("__"))
        try:
            value = _load(os.environ[variable])[1]
        except yaml.YAMLError as error:
            told = f"{os.environ[variable]!r} is not YAML. {' '.join(str(error).split())}"
            raise UsageError(f"environment variable {variable}: {told}") from error
        values = _with_value(values, keys, value)
        origins = {key: origin for key, origin in origins.items() if key[: len(keys)] != keys}
        origins[keys] = f"environment variable {variable}"
        for length in range(1, len(keys)):
            origins.setdefault(keys[:length], origins[keys])
    return _Document(values, origins)


def _with_value(values: Mapping[str, Any], keys: Sequence[str], value: object) -> dict[str, Any]:
    first, *rest = keys
    below = values.get(first)
    new = _with_value(below if isinstance(below, dict) else {}, rest, value) if rest else value
    return {**values, first: new}


def _explain(error: ErrorDetails, model: type[BaseModel], document: _Document, path: Path | None) -> str:
    typed = error["loc"]
    at = _written(typed, document.values)
    where = _origin(at, error["msg"], document.origins) or str(path or "built-in settings")
    if error["type"] in {"extra_forbidden", "unexpected_keyword_argument"}:
        accepted = sorted(_keys_at(model, typed[:-1]))
        close = difflib.get_close_matches(str(at[-1]), accepted, n=1)
        hint = f" Did you mean {close[0]!r}?" if close else ""
        return f"{where}: unknown key {_dotted(at)!r}; accepted here are {', '.join(accepted)}.{hint}"
    message = _IN_WORDS.get(error["type"], error["msg"].removeprefix("Value error, ").rstrip("."))
    if error["type"] in {"union_tag_invalid", "union_tag_not_found"}:
        return _explain_kind(error, at, where)
    received = "" if error["type"] in {"missing", "value_error"} else f" got {error['input']!r};"
    return f"{where}: {_dotted(at) or 'the file'}:{received} {message[:1].lower()}{message[1:]}."


def _explain_kind(error: ErrorDetails, at: _Path, where: str) -> str:
    """A value whose `kind` says which keys it has, without a known one."""
    context = error.get("ctx", {})
    kinds = [each.strip("' ") for each in str(context.get("expected_tags", "")).split(",")]
    given = f"kind is {context['tag']!r}" if "tag" in context else "has no kind"
    close = difflib.get_close_matches(str(context.get("tag")), kinds, n=1)
    hint = f" Did you mean {close[0]!r}?" if close else ""
    accepted = f"expected one of {', '.join(kinds)}" if "tag" in context else "expected the key kind"
    return f"{where}: {_dotted(at)}: {given}; {accepted}.{hint}"


def _written(typed: _Path, values: object) -> _Path:
    """Pydantic's path of an error as keys of the document: without the kinds it puts between them."""
    if not typed:
        return ()
    first, *rest = typed
    if isinstance(values, Mapping):
        if first not in values and values.get("kind") == first:
            return _written(tuple(rest), values)
        return (first, *_written(tuple(rest), values.get(first)))
    return typed


def _origin(at: _Path, message: str, origins: Mapping[_Path, str]) -> str | None:
    """Where the key that `message` is about was written: the first below `at` that it names, or the nearest above."""
    below = [key for key in origins if len(key) == len(at) + 1 and key[: len(at)] == at]
    named = sorted((found.start(), origins[key]) for key in below if (found := re.search(_word(key[-1]), message)))
    above = [origins[at[:length]] for length in range(len(at), 0, -1) if at[:length] in origins]
    return next(iter([origin for _, origin in named] + above), None)


def _word(key: str | int) -> str:
    """Pattern of a key in a sentence: 'time_zone' is also 'time zone'."""
    return rf"\b{re.escape(str(key)).replace('_', '[_ ]')}\b"


def _keys_at(section: Any, at: Sequence[str | int]) -> set[str]:
    """Keys that a settings class (a pydantic model or a dataclass) accepts below the path `at`, kinds in it."""
    section = get_args(section)[0] if get_origin(section) is Annotated else section
    if get_origin(section) is dict:
        return _keys_at(get_args(section)[1], at[1:])
    if isinstance(section, UnionType):
        return _keys_at(next(each for each in get_args(section) if _kind_of(each) == at[0]), at[1:])
    types = get_type_hints(section, include_extras=True)
    if not at:
        return {name for name in types if not name.startswith("model_")}
    return _keys_at(types[str(at[0])], at[1:])


def _kind_of(section: Any) -> str:
    return str(get_args(get_type_hints(section)["kind"])[0])


def _dotted(at: Sequence[str | int]) -> str:
    return ".".join(str(each) for each in at)
