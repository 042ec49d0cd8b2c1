"""The access table finds the rule of a request, and nothing for what it does not name."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.routing import compile_path

from gridcast.app.guard.access import ACCESS, PUBLIC, AccessRules
from gridcast.domain.roles import Role

RULES = AccessRules()
PARTS = st.sampled_from(
    sorted(
        {part for _, template in ACCESS for part in template.split("/")} | {"", "x", "zone_04", "..", "%2e", "a b", "ä"}
    )
)


def by_framework(path: str, method: str) -> str | None:
    """The first template that the framework's own matching finds."""
    for own, template in ACCESS:
        if own == method and compile_path(template)[0].fullmatch(path):
            return template
    return None


@pytest.mark.parametrize(("method", "template"), ACCESS)
def test_each_route_of_the_table_is_found_by_its_path(method: str, template: str) -> None:
    path = "/".join("zone_04" if part.startswith("{") else part for part in template.split("/"))
    rule = RULES.find(method, path)
    assert rule is not None
    assert (rule.template, rule.need) == (template, ACCESS[method, template])


@pytest.mark.parametrize(
    "path",
    [
        "", "/v1", "/v1/", "/v1/me/", "//v1/me", "/v1//me", "/V1/me", "/v1/me\n", "/v1/series/", "/v1/series/a/b",
        "/v1/overrides/x/score/y", "/v1/keys/a/b", "/page/", "/page/a/b", "v1/me", "v1/series/a", "xv1/series/a",
        "/v1/forecasts/a/peaks/", "/docs",
    ],
)  # fmt: skip
def test_what_is_not_in_the_table_has_no_rule(path: str) -> None:
    assert RULES.find("GET", path) is None


@given(method=st.sampled_from(["GET", "POST", "DELETE", "HEAD"]), parts=st.lists(PARTS, max_size=6))
def test_a_request_gets_the_rule_of_the_route_that_the_framework_would_take(method: str, parts: list[str]) -> None:
    path = "/" + "/".join(parts)
    rule = RULES.find(method, path)
    assert (None if rule is None else rule.template) == by_framework(path, method)


def test_no_path_fits_two_templates_of_one_method() -> None:
    for (method, one), (other_method, other) in itertools.combinations(ACCESS, 2):
        pairs = list(itertools.zip_longest(one.split("/"), other.split("/")))
        fits = all(a is not None and b is not None and (a == b or "{" in a or "{" in b) for a, b in pairs)
        assert method != other_method or not fits, (one, other)


def test_only_reading_is_public_and_only_admins_see_keys_and_the_audit_log() -> None:
    assert {method for (method, _), need in ACCESS.items() if need == PUBLIC} == {"GET", "HEAD"}
    admins = {template for (_, template), need in ACCESS.items() if need is Role.ADMIN}
    assert admins == {"/v1/audit", "/v1/keys", "/v1/keys/{key_id}"}


def test_no_viewer_changes_anything() -> None:
    changes = [need for (method, _), need in ACCESS.items() if method not in {"GET", "HEAD"}]
    assert changes
    assert all(need != PUBLIC and Role(need).covers(Role.OPERATOR) for need in changes)


def test_the_methods_of_a_path_are_told() -> None:
    assert list(RULES.methods("/v1/keys/5f0c")) == ["DELETE"]
    assert list(RULES.methods("/v1/overrides")) == ["GET", "POST"]
    assert not list(RULES.methods("/v1/nothing"))
