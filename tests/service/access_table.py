"""Print who may call which route: `python -m tests.service.access_table`."""

import sys

from tests.service.test_access import table

if __name__ == "__main__":
    sys.stdout.write(table() + "\n")
