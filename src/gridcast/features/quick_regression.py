"""Held-out error of a quick regression of load on calendar and temperature, for many mixes and series at once."""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from gridcast.features.block_means import BlockMeans

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

FOLDS = 4
"""Each week of a level's four is held out in turn."""
_ROWS = 64
"""Blocks multiplied at a time: products so small that no library spreads them over threads, which costs more here."""
_RIDGE = 1e-4
_ROUNDS = 8


class Sums(NamedTuple):
    """Sums of products over the blocks of each fold; sums over all but one fit, those of the one judge."""

    terms: Floats
    """(fold, term, term)."""
    loads: Floats
    """(fold, term, series)."""


@dataclass(frozen=True, slots=True, eq=False)
class QuickRegression:
    """Scaled loads and what all mixes share of a regression; blocks stand as (fold, piece, row), empty ones are zero.

    Attributes:
        blocks: the means.
        place: (fold, piece, row), which block stands there, -1 for none.
        calendar: (fold, piece, row, term).
        load: (fold, piece, row, series), centred and scaled; missing ones as a fit to the plain mean has them.
        squares: (fold, series), sums of squared loads.
        shared: sums of products of the calendar with itself and with the loads.
    """

    blocks: BlockMeans
    place: Ints
    calendar: Floats
    load: Floats
    squares: Floats
    shared: Sums

    @property
    def count(self) -> int:
        """Blocks it rests on."""
        return int((self.place >= 0).sum())

    def held_out_error(self, weights: Floats, *, series: Ints) -> Floats:
        """Root mean square of what a fit to the other folds leaves of each fold, (series,), share of the load's spread.

        Args:
            weights: (station,), the mix.
            series: columns of the loads to judge.
        """
        sums = self._sums(_placed(self.blocks.terms(weights), self.place), series)
        squares = self.squares[:, series]
        all_terms, all_loads = sums.terms.sum(axis=0), sums.loads.sum(axis=0)
        left = np.zeros(len(series))
        for terms, loads, square in zip(sums.terms, sums.loads, squares, strict=True):
            fit = _solve(all_terms - terms, all_loads - loads, rows=self.count)
            left += square - 2 * (fit * loads).sum(axis=0) + (fit * (terms @ fit)).sum(axis=0)
        error: Floats = np.sqrt(np.maximum(left, 0.0) / max(self.count, 1))
        return error

    def _sums(self, own: Floats, series: Ints) -> Sums:
        crossed, width = _product(own, self.calendar), self.calendar.shape[-1]
        size = width + own.shape[-1]
        terms, loads = np.empty((FOLDS, size, size)), np.empty((FOLDS, size, len(series)))
        terms[:, :width, :width] = self.shared.terms
        terms[:, width:, :width] = crossed
        terms[:, :width, width:] = crossed.swapaxes(1, 2)
        terms[:, width:, width:] = _product(own, own)
        loads[:, :width] = self.shared.loads[..., series]
        loads[:, width:] = _product(own, self.load[..., series])
        return Sums(terms, loads)


def quick_regression(blocks: BlockMeans) -> QuickRegression:
    """The regression of the loads of some blocks; see `held_out_error`."""
    stations = len(blocks.temperature_c)
    plain = blocks.terms(np.full(stations, 1 / stations))
    usable = np.isfinite(plain).all(axis=1) & np.isfinite(blocks.load_mw).any(axis=1)
    place = _places(np.flatnonzero(usable), fold=blocks.day // 7 % FOLDS)
    load = np.zeros(blocks.load_mw.shape)
    load[usable] = _complete(blocks.load_mw[usable], np.concatenate([blocks.calendar, plain], axis=1)[usable])
    calendar, placed = _placed(blocks.calendar, place), _placed(load, place)
    shared = Sums(_product(calendar, calendar), _product(calendar, placed))
    return QuickRegression(blocks, place, calendar, placed, (placed**2).sum(axis=(1, 2)), shared)


def _places(usable: Ints, *, fold: Ints) -> Ints:
    """Usable blocks by fold, in pieces of `_ROWS`, (fold, piece, row)."""
    members = [usable[fold[usable] == each] for each in range(FOLDS)]
    pieces = max(1, *(-(-len(each) // _ROWS) for each in members))
    place = np.full((FOLDS, pieces * _ROWS), -1, dtype=np.int64)
    for row, each in zip(place, members, strict=True):
        row[: len(each)] = each
    return place.reshape(FOLDS, pieces, _ROWS)


def _placed(values: Floats, place: Ints) -> Floats:
    placed: Floats = np.where((place >= 0)[..., np.newaxis], values[place], 0.0)
    return placed


def _product(first: Floats, second: Floats) -> Floats:
    """Sums of products over the blocks of each fold: (fold, piece, row, a), (fold, piece, row, b) → (fold, a, b)."""
    product: Floats = np.matmul(first.swapaxes(-1, -2), second).sum(axis=1)
    return product


def _complete(load_mw: Floats, design: Floats) -> Floats:
    """Loads (block, series) centred and scaled; missing ones from a fit to the others, found in a few rounds."""
    observed = np.isfinite(load_mw)
    count = np.maximum(observed.sum(axis=0), 1)
    centre = np.where(observed, load_mw, 0.0).sum(axis=0) / count
    apart = np.where(observed, load_mw - centre, 0.0)
    spread = np.sqrt((apart**2).sum(axis=0) / count)
    load: Floats = apart / np.where(spread > 0, spread, 1.0)
    torn = np.flatnonzero(~observed.all(axis=0))
    if len(torn):
        products = design.T @ design
        for _ in range(_ROUNDS):
            fit = design @ _solve(products, design.T @ load[:, torn], rows=len(design))
            load[:, torn] = np.where(observed[:, torn], load[:, torn], fit)
    return load


def _solve(terms: Floats, loads: Floats, *, rows: int) -> Floats:
    ridge = _RIDGE * max(rows, 1) * np.eye(len(terms))
    fit: Floats = np.linalg.solve(terms + ridge, loads).astype(np.float64)
    return fit
