"""What a key has gathered: in the runner's state for good, and at hand in the process that worked on it last."""

import json
import time
from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator
from datetime import timedelta
from typing import Any, Final

import apache_beam as beam
from apache_beam.transforms.timeutil import TimeDomain
from apache_beam.transforms.userstate import BagStateSpec, ReadModifyWriteStateSpec, TimerSpec, on_timer
from apache_beam.utils.timestamp import Timestamp

from gridcast.pipelines.beam.blocks import ArrowCoder, Block

GATHER: Final = timedelta(milliseconds=200)
"""From the first block of some until they are worked off together."""
MANY_BLOCKS: Final = 500
"""Above which they are put together into few."""
_BLOCKS: Final = BagStateSpec("blocks", beam.coders.TupleCoder((beam.coders.StrUtf8Coder(), ArrowCoder())))
_MARK: Final = ReadModifyWriteStateSpec("mark", beam.coders.StrUtf8Coder())
_WAKE: Final = TimerSpec("wake", TimeDomain.REAL_TIME)
_IN_BLOCKS: Final = beam.DoFn.StateParam(_BLOCKS)
_IN_MARK: Final = beam.DoFn.StateParam(_MARK)
_AT_WAKE: Final = beam.DoFn.TimerParam(_WAKE)


class Gathered(ABC):
    """What the blocks of one key have come to."""

    @abstractmethod
    def take(self, block: Block) -> None:
        """One more block."""

    @abstractmethod
    def work_off(self) -> Iterator[Any]:
        """What follows from all blocks that were taken since the last time."""

    @abstractmethod
    def mark(self) -> str:
        """How far they were worked off, as text."""

    @abstractmethod
    def look_again_in(self) -> timedelta | None:
        """When to work off again though no block comes."""

    @abstractmethod
    def together(self) -> Iterator[Block]:
        """Few blocks in place of all that were taken."""


class KeepInState(beam.DoFn, ABC):  # type: ignore[misc]
    """Gathers the blocks of each key and works them off a moment later, together.

    Blocks lie in the runner's state in the order of their numbers, with a mark that changes with each of them. A
    process whose own mark is another one, as somebody else worked on the key or a bundle was taken back, reads them.
    """

    def __init__(self) -> None:
        self._at_hand: dict[str, tuple[str, int, Gathered]] = {}

    @abstractmethod
    def begin(self, key: str, mark: str | None) -> Gathered:
        """What a key has before its first block; `mark`: how far it had been worked off elsewhere."""

    def process(
        self,
        element: tuple[str, Block],
        blocks: Any = _IN_BLOCKS,
        mark: Any = _IN_MARK,
        wake: Any = _AT_WAKE,
    ) -> None:
        """Keep a block."""
        key, block = element
        number, gathered = self._gathered(key, blocks, mark)
        gathered.take(block)
        blocks.add((json.dumps([number, block[0]]), block[1]))
        self._keep(key, mark, number + 1, gathered)
        wake.set(_in(GATHER))

    @on_timer(_WAKE)  # type: ignore[untyped-decorator]
    def work_off(
        self,
        key: str = beam.DoFn.KeyParam,
        blocks: Any = _IN_BLOCKS,
        mark: Any = _IN_MARK,
        wake: Any = _AT_WAKE,
    ) -> Iterator[Any]:
        """Work off what was kept."""
        number, gathered = self._gathered(key, blocks, mark)
        yield from gathered.work_off()
        if number > MANY_BLOCKS:
            fewer = list(gathered.together())
            blocks.clear()
            for number, (name, rows) in enumerate(fewer):
                blocks.add((json.dumps([number, name]), rows))
            number = len(fewer)
        self._keep(key, mark, number, gathered)
        pause = gathered.look_again_in()
        if pause is not None:
            wake.set(_in(max(pause, GATHER)))

    def _gathered(self, key: str, blocks: Any, mark: Any) -> tuple[int, Gathered]:
        # Taken out until it is kept: what a bundle that failed has changed is not at hand afterwards.
        kept, at_hand = mark.read(), self._at_hand.pop(key, None)
        if at_hand is not None and at_hand[0] == kept:
            return at_hand[1], at_hand[2]
        number, how_far = (0, None) if kept is None else json.loads(kept)
        gathered = self.begin(key, how_far)
        for block in _in_order(blocks.read()):
            gathered.take(block)
        return number, gathered

    def _keep(self, key: str, mark: Any, number: int, gathered: Gathered) -> None:
        text = json.dumps([number, gathered.mark()])
        mark.write(text)
        self._at_hand[key] = (text, number, gathered)


def _in_order(blocks: Iterable[Block]) -> Iterator[Block]:
    numbered = ((json.loads(name), rows) for name, rows in blocks)
    for (_, name), rows in sorted(numbered, key=lambda each: each[0][0]):
        yield name, rows


def _in(pause: timedelta) -> Timestamp:
    return Timestamp.of(time.time() + pause.total_seconds())
