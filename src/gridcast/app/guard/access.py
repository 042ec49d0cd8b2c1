"""Who may use which route: the one table. What is not in it is refused to everybody."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final, Literal, TypeAlias

from gridcast.domain.roles import Role

PUBLIC: Final = "public"
Need: TypeAlias = Role | Literal["public"]

ACCESS: Final[Mapping[tuple[str, str], Need]] = {
    ("GET", "/"): PUBLIC,
    ("HEAD", "/"): PUBLIC,
    ("GET", "/page/{name}"): PUBLIC,
    ("HEAD", "/page/{name}"): PUBLIC,
    ("GET", "/openapi.json"): PUBLIC,
    ("HEAD", "/openapi.json"): PUBLIC,
    ("GET", "/v1/health"): PUBLIC,
    ("GET", "/v1/ready"): PUBLIC,
    ("GET", "/metrics"): Role.VIEWER,
    ("GET", "/v1/me"): Role.VIEWER,
    ("GET", "/v1/status"): Role.VIEWER,
    ("GET", "/v1/series"): Role.VIEWER,
    ("GET", "/v1/series/{series_id}"): Role.VIEWER,
    ("GET", "/v1/readings/{series_id}"): Role.VIEWER,
    ("POST", "/v1/readings"): Role.ENGINEER,
    ("GET", "/v1/forecasts/{series_id}"): Role.VIEWER,
    ("GET", "/v1/forecasts/{series_id}/peaks"): Role.VIEWER,
    ("GET", "/v1/accuracy"): Role.VIEWER,
    ("GET", "/v1/quality"): Role.VIEWER,
    ("GET", "/v1/models"): Role.VIEWER,
    ("GET", "/v1/models/{version}"): Role.VIEWER,
    ("GET", "/v1/promotions"): Role.VIEWER,
    ("GET", "/v1/events"): Role.VIEWER,
    ("POST", "/v1/what-if"): Role.OPERATOR,
    ("GET", "/v1/overrides"): Role.VIEWER,
    ("POST", "/v1/overrides"): Role.OPERATOR,
    ("DELETE", "/v1/overrides/{override_id}"): Role.OPERATOR,
    ("GET", "/v1/overrides/{override_id}/score"): Role.VIEWER,
    ("GET", "/v1/export/{table}"): Role.VIEWER,
    ("GET", "/v1/stream"): Role.VIEWER,
    ("GET", "/v1/audit"): Role.ADMIN,
    ("GET", "/v1/keys"): Role.ADMIN,
    ("POST", "/v1/keys"): Role.ADMIN,
    ("DELETE", "/v1/keys/{key_id}"): Role.ADMIN,
}


@dataclass(frozen=True, slots=True)
class Rule:
    """What one route asks for."""

    method: str
    template: str
    need: Need


class AccessRules:
    """The table, ready to be asked for every request. A parameter stands for one whole, not empty, part of a path."""

    def __init__(self, table: Mapping[tuple[str, str], Need] = ACCESS) -> None:
        rules = [Rule(method, template, need) for (method, template), need in table.items()]
        self._exact = {(rule.method, rule.template): rule for rule in rules if "{" not in rule.template}
        self._shaped: dict[tuple[str, int], list[tuple[list[str | None], Rule]]] = {}
        for rule in rules:
            if "{" in rule.template:
                parts = [None if part.startswith("{") else part for part in rule.template.split("/")]
                self._shaped.setdefault((rule.method, len(parts)), []).append((parts, rule))
        self._methods = sorted({rule.method for rule in rules})

    def find(self, method: str, path: str) -> Rule | None:
        """The rule for a request, None where there is none."""
        rule = self._exact.get((method, path))
        if rule is not None:
            return rule
        given = path.split("/")
        for parts, shaped in self._shaped.get((method, len(given)), ()):
            if all(value if part is None else part == value for part, value in zip(parts, given, strict=True)):
                return shaped
        return None

    def methods(self, path: str) -> Iterable[str]:
        """With which methods a path may be asked at all."""
        return [method for method in self._methods if self.find(method, path) is not None]
