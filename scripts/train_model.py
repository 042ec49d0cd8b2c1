"""Train the model on data/processed and register it: `gridcast train`, with all its options."""

import sys

from gridcast.cli import main

if __name__ == "__main__":
    sys.argv.insert(1, "train")
    main()
