"""Which processes learn together, as TF_CONFIG describes them; no TensorFlow here."""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from gridcast.domain.errors import UsageError

TF_CONFIG = "TF_CONFIG"


def _nobody_is_known_to_have_ended() -> None:
    return


@dataclass(frozen=True, slots=True)
class Cluster:
    """Workers that train one network together.

    Attributes:
        addresses: host:port of each, the chief first.
        rank: position of this process among them.
        check: called while it waits for the others; raises once one of them is known to have ended.
    """

    addresses: tuple[str, ...]
    rank: int
    check: Callable[[], None] = field(default=_nobody_is_known_to_have_ended, compare=False)

    @property
    def is_chief(self) -> bool:
        """Whether this process keeps the result; the others only learn."""
        return self.rank == 0

    @classmethod
    def parse(cls, text: str) -> "Cluster":
        """The cluster a TF_CONFIG describes: tasks of the types chief (one or none) and worker.

        >>> Cluster.parse(tf_config(["a:2222", "b:2222"], rank=1)).rank
        1

        Raises:
            UsageError: it describes none, or this process has no place in it.
        """
        try:
            facts = json.loads(text)
            tasks = {kind: [str(each) for each in facts["cluster"].get(kind, ())] for kind in ("chief", "worker")}
            kind, index = facts["task"]["type"], int(facts["task"]["index"])
            here = tasks[kind][index] if index >= 0 else None
        except (ValueError, KeyError, TypeError, AttributeError, IndexError) as error:
            raise _unusable(text) from error
        addresses = (*tasks["chief"], *tasks["worker"])
        if here is None or len(tasks["chief"]) > 1 or not all(map(_is_address, addresses)):
            raise _unusable(text)
        return cls(addresses, index if kind == "chief" else len(tasks["chief"]) + index)


def tf_config(addresses: Sequence[str], *, rank: int) -> str:
    """The TF_CONFIG of one of several workers without a chief task; the first is the chief."""
    return json.dumps({"cluster": {"worker": list(addresses)}, "task": {"type": "worker", "index": rank}})


def _is_address(text: str) -> bool:
    host, _, port = text.rpartition(":")
    return bool(host) and port.isdecimal()


def _unusable(text: str) -> UsageError:
    return UsageError(
        f"TF_CONFIG {text}: expected a cluster of workers (with or without one chief) and the place of this process "
        f"in it, such as {tf_config(['host-0:2222', 'host-1:2222'], rank=1)}. Mend it, or unset it to train alone."
    )
