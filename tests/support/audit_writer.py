"""Appends rows to an audit log, as one of several processes at once."""

import sys
from datetime import UTC, datetime
from pathlib import Path

from gridcast.store import audit
from gridcast.store.store import Store


def main() -> None:
    place, name, count = sys.argv[1:]
    store = Store.open(place if "://" in place else Path(place))
    for number in range(int(count)):
        audit.append(
            store, audit.Entry(at=datetime.now(UTC), actor=name, role="local", action="test", target=str(number))
        )
    store.close()


if __name__ == "__main__":
    main()
