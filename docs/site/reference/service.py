"""docs/reference/http.md: the paths, parameters and documents of the service, as /openapi.json has them."""

from collections.abc import Iterator, Mapping
from typing import Any

from fastapi import FastAPI  # noqa: TID251

from gridcast.app.application import ROUTERS
from gridcast.app.guard.access import ACCESS

Schema = Mapping[str, Any]

_HEAD = """# HTTP

Made from the service's own description by `python docs/site/write_references.py`; a running service gives it as
`/openapi.json`. Loads are mean MW over an interval, times are UTC and label its start. How to sign in, and what each
role may do: [security](../security.md). Every failure is a problem document (`application/problem+json`) with `type`,
`title`, `status` and `detail`.
"""


def page() -> str:
    """The whole page."""
    described = openapi()
    told = [_HEAD]
    for path, methods in described["paths"].items():
        told += [_operation(method.upper(), path, each) for method, each in methods.items()]
    told.append("## Documents\n")
    for name, schema in sorted(described["components"]["schemas"].items()):
        if not name.endswith("ValidationError"):
            told.append(_document(name, schema))
    return "\n".join(told)


def openapi() -> dict[str, Any]:
    """The description of all that programs may ask."""
    app = FastAPI(title="gridcast")
    for router in ROUTERS:
        app.include_router(router)
    return app.openapi()


def _operation(method: str, path: str, operation: Schema) -> str:
    need = ACCESS[method, path]
    told = [f"## {method} {path}\n", f"{_prose(operation.get('description', ''))}\n", f"Role: {need}.\n"]
    rows = [_parameter(each) for each in operation.get("parameters", ())]
    if rows:
        told += ["| parameter | in | type | default | meaning |", "|---|---|---|---|---|", *rows, ""]
    body = operation.get("requestBody")
    if body:
        told.append(f"Body: {', '.join(_contents(body['content']))}.\n")
    answers = [text for code, each in operation["responses"].items() if code < "300" for text in _answer(code, each)]
    told.append(f"Answer: {'; '.join(answers)}.\n")
    return "\n".join(told)


def _parameter(each: Schema) -> str:
    schema = each["schema"]
    given = schema.get("default")
    default = "needed" if each.get("required") else "" if given is None else f"`{given}`"
    return f"| `{each['name']}` | {each['in']} | {_type(schema)} | {default} | {_prose(each.get('description', ''))} |"


def _answer(code: str, answer: Schema) -> Iterator[str]:
    contents = list(_contents(answer.get("content", {})))
    yield f"{code}{': ' if contents else ''}{', '.join(contents)}"


def _contents(content: Schema) -> Iterator[str]:
    for media, each in content.items():
        kind = _type(each.get("schema", {}))
        yield kind if media == "application/json" and kind else f"`{media}`"


def _document(name: str, schema: Schema) -> str:
    told = [f"### {name}\n", f"{_prose(schema.get('description', ''))}\n"]
    if "enum" in schema:
        told.append(f"One of {', '.join(f'`{each}`' for each in schema['enum'])}.\n")
    if "properties" in schema:
        needed = schema.get("required", ())
        told += ["| key | type | meaning |", "|---|---|---|"]
        for key, each in schema["properties"].items():
            optional = "" if key in needed else "optional. "
            told.append(f"| `{key}` | {_type(each)} | {optional}{_prose(each.get('description', ''))} |")
        told.append("")
    return "\n".join(told)


def _type(schema: Schema) -> str:
    if "$ref" in schema:
        name = schema["$ref"].rpartition("/")[2]
        return f"[{name}](#{name.lower()})"
    if "anyOf" in schema:
        return " or ".join(dict.fromkeys(_type(each) for each in schema["anyOf"]))
    if "const" in schema or "enum" in schema:
        return ", ".join(f"`{each}`" for each in schema.get("enum", (schema.get("const"),)))
    if schema.get("type") == "array":
        return f"list of {_type(schema.get('items', {}))}"
    values = schema.get("additionalProperties")
    if isinstance(values, Mapping):
        return f"map to {_type(values)}"
    return str(schema.get("format") or schema.get("type") or "")


def _prose(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")
