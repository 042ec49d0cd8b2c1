"""What every model must beat: last week repeated, and a linear regression, both with empirical quantiles."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from gridcast.domain.errors import GridcastError
from gridcast.domain.quantiles import QUANTILE_LEVELS

Floats = npt.NDArray[np.float64]
Groups = npt.NDArray[Any]


@dataclass(frozen=True, slots=True, eq=False)
class ResidualQuantiles:
    """Quantiles of actual − point forecast: `groups` (group,) ascending, `residuals_mw` (group, quantile)."""

    groups: Groups
    residuals_mw: Floats

    def around(self, point: Floats, *, groups: Groups) -> Floats:
        """Quantile forecasts, MW: point (n,) with its group labels (n,) → (n, quantile). NaN points stay NaN.

        Raises:
            GridcastError: a group was not in the training data.
        """
        position = np.searchsorted(self.groups, groups).clip(max=len(self.groups) - 1)
        unknown = self.groups[position] != groups
        if unknown.any():
            raise GridcastError(
                f"baseline: group {str(np.unique(groups[unknown])[0])!r} has no training residuals; "
                "expected a group it was fitted on. Fit the baseline again on a longer history."
            )
        quantiles: Floats = point[:, np.newaxis] + self.residuals_mw[position]
        return quantiles


def residual_quantiles(
    actual: Floats, point: Floats, *, groups: Groups, levels: Sequence[float] = QUANTILE_LEVELS
) -> ResidualQuantiles:
    """Empirical quantiles of actual − point within each group; all inputs (n,), pairs with a NaN are left out.

    A group is what shares one spread: a series for the weekly naive, a series and lead bucket for the regression.

    A group without a complete pair gets NaN: nothing can be said of it.
    """
    residual = actual - point
    names, member = np.unique(groups, return_inverse=True)
    order = np.argsort(member, kind="stable")
    parts = np.split(residual[order], np.cumsum(np.bincount(member, minlength=len(names)))[:-1])
    rows = [part[np.isfinite(part)] for part in parts]
    unknown = np.full(len(levels), np.nan)
    return ResidualQuantiles(names, np.array([np.quantile(row, levels) if row.size else unknown for row in rows]))


@dataclass(frozen=True, slots=True, eq=False)
class NaiveWeek:
    """The load 7 local days earlier, widened by how far a week has been off in training, per series."""

    residuals: ResidualQuantiles

    def forecast(self, week_ago: Floats, *, series_ids: Groups) -> Floats:
        """Quantile forecasts, MW: load 7 local days before each valid time (n,) → (n, quantile)."""
        return self.residuals.around(week_ago, groups=series_ids)


def fit_naive_week(actual: Floats, week_ago: Floats, *, series_ids: Groups) -> NaiveWeek:
    """The weekly naive of the training pairs: actual, load 7 local days earlier and series id, each (n,)."""
    return NaiveWeek(residual_quantiles(actual, week_ago, groups=series_ids))


@dataclass(frozen=True, slots=True, eq=False)
class LinearFit:
    """A fitted regression: target ≈ intercept + design · coefficients (k,); `n` complete rows were used."""

    intercept: float
    coefficients: Floats
    n: int


def fit_linear(design: Floats, target: Floats, *, ridge: float = 1e-3) -> LinearFit:
    """Least squares of target (n,) on design (n, k), solved by the normal equations of the standardised columns.

    `ridge` is added to the diagonal of the correlation matrix, so it is the same for every unit; constant
    columns get the coefficient zero. Rows with a NaN are left out.

    Raises:
        GridcastError: fewer than two complete rows remain.
    """
    complete = np.isfinite(target) & np.isfinite(design).all(axis=1)
    x, y = design[complete], target[complete]
    if len(y) < 2:
        raise GridcastError(
            f"linear baseline: {len(y)} of {len(target)} training rows are complete; expected at least 2. "
            "Give it a longer history or fewer terms."
        )
    centre, spread = x.mean(axis=0), x.std(axis=0)
    varies = spread > 1e-12 * np.maximum(1.0, np.abs(centre))
    scaled = np.where(varies, (x - centre) / np.where(varies, spread, 1.0), 0.0)
    gram = scaled.T @ scaled / len(y) + np.diag(np.where(varies, ridge, 1.0))
    moments = scaled.T @ (y - y.mean()) / len(y)
    coefficients = np.linalg.lstsq(gram, moments, rcond=None)[0] / np.where(varies, spread, 1.0)
    return LinearFit(float(y.mean() - centre @ coefficients), coefficients, len(y))


def predict_linear(design: Floats, *, fit: LinearFit) -> Floats:
    """Point forecasts of a regression: design (n, k) → (n,); rows with a NaN give NaN."""
    return fit.intercept + design @ fit.coefficients


@dataclass(frozen=True, slots=True, eq=False)
class LinearBaseline:
    """A regression with the empirical spread of its own residuals."""

    fit: LinearFit
    residuals: ResidualQuantiles

    def forecast(self, design: Floats, *, groups: Groups) -> Floats:
        """Quantile forecasts, MW: design (n, k) with group labels (n,) → (n, quantile)."""
        return self.residuals.around(predict_linear(design, fit=self.fit), groups=groups)


def fit_linear_baseline(design: Floats, target: Floats, *, groups: Groups, ridge: float = 1e-3) -> LinearBaseline:
    """The regression of target (n,) on design (n, k) with residual quantiles per group, normally the lead bucket."""
    fit = fit_linear(design, target, ridge=ridge)
    return LinearBaseline(fit, residual_quantiles(target, predict_linear(design, fit=fit), groups=groups))
