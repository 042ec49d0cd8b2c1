"""Each role may do what the ones before it may."""

import itertools

import pytest

from gridcast.domain.roles import Role

ORDER = ["viewer", "operator", "engineer", "admin"]


def test_there_are_four_roles_in_a_fixed_order() -> None:
    assert list(Role) == ORDER


@pytest.mark.parametrize(("higher", "lower"), list(itertools.combinations(reversed(ORDER), 2)))
def test_a_higher_role_may_do_what_a_lower_one_may_and_not_the_reverse(higher: str, lower: str) -> None:
    assert Role(higher).covers(Role(lower))
    assert not Role(lower).covers(Role(higher))


@pytest.mark.parametrize("role", Role)
def test_a_role_covers_itself(role: Role) -> None:
    assert role.covers(role)
