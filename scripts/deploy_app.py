"""Put an installation on Kubernetes: `gridcast deploy`, with all its commands and options."""

import sys

from gridcast.cli import main

if __name__ == "__main__":
    sys.argv.insert(1, "deploy")
    main()
