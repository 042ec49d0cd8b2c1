"""Holidays of real places, as public authorities announced them."""

import pytest

from gridcast.domain.errors import UsageError
from gridcast.domain.tables import HOLIDAYS
from gridcast.ingestion.public_holidays import Place, public_holidays


def days(place: Place, year: int) -> dict[str, str]:
    found = public_holidays(place, years=[year])
    assert found.schema == HOLIDAYS
    return {f"{day:%m-%d}": name for day, name in found.iter_rows()}


def test_victoria_has_its_own_days_beside_those_of_australia() -> None:
    victoria, wales = (days(Place("AU", part), 2024) for part in ("VIC", "NSW"))
    assert list(victoria) == [
        "01-01", "01-26", "03-11", "03-29", "03-30", "03-31", "04-01", "04-25", "06-10", "09-27", "11-05", "12-25",
        "12-26",
    ]  # fmt: skip
    assert victoria["11-05"] == "Melbourne Cup Day"
    assert victoria.keys() - wales.keys() == {"03-11", "09-27", "11-05"}


def test_holidays_on_a_weekend_come_with_the_day_they_are_observed_on() -> None:
    christmas = [day for day in days(Place("GB", "ENG"), 2022) if day > "12-01"]
    assert christmas == ["12-25", "12-26", "12-27"]


def test_other_kinds_of_holidays_count_where_they_are_asked_for() -> None:
    assert "08-15" not in days(Place("DE", "BY"), 2024)
    assert "08-15" in days(Place("DE", "BY", ("public", "catholic")), 2024)


def test_names_are_in_english_on_every_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LANGUAGE", "de")
    assert days(Place("DE"), 2024)["05-09"] == "Ascension Day"


def test_nowhere_has_no_holidays() -> None:
    assert public_holidays(Place(), years=[2024]).equals(HOLIDAYS.to_frame())


@pytest.mark.parametrize(
    ("country", "subdivision", "categories", "told"),
    [
        pytest.param(
            "au", None, ("public",), r"'au' is no country \(did you mean 'AU'\?\); expected one of AD, AE", id="case"
        ),
        pytest.param("ECB", None, ("public",), "'ECB' is no country .*; expected one of AD, AE, .* ZW", id="a market"),
        pytest.param("QQ", None, ("public",), "'QQ' is no country", id="no country"),
        pytest.param(
            "AU", "VIX", ("public",), r"'VIX' is no subdivision of AU \(did you mean 'VIC'\?\); .*ACT, NSW", id="part"
        ),
        pytest.param(
            "SG", "X", ("public",), "'X' is no subdivision of SG; expected one of none, as it has none", id="no parts"
        ),
        pytest.param(
            "AU",
            None,
            ("banks",),
            r"'banks' is no category of holidays in AU .*'bank'\?\); .* public, school",
            id="kind",
        ),
        pytest.param("FI", None, ("workday",), "'workday' is no category of holidays in FI", id="days that are worked"),
        pytest.param("AU", None, (), "'' is no category of holidays in AU; expected one of bank", id="no kind"),
        pytest.param(None, "VIC", ("public",), "subdivision is 'VIC' without a country", id="part of nothing"),
    ],
)
def test_places_that_are_not_known_are_refused_with_those_that_are(
    country: str | None, subdivision: str | None, categories: tuple[str, ...], told: str
) -> None:
    with pytest.raises(UsageError, match=told):
        Place(country, subdivision, categories)
