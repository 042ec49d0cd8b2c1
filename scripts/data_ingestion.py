"""Read the source into data/raw: `gridcast ingest`, with all its options."""

import sys

from gridcast.cli import main

if __name__ == "__main__":
    sys.argv.insert(1, "ingest")
    main()
