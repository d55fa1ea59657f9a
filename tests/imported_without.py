"""Import all modules as if some packages were not installed, and print those that cannot do without.

python tests/imported_without.py DISTRIBUTION...
"""

from __future__ import annotations

import importlib
import pkgutil
import re
import sys
from collections.abc import Iterable, Iterator, Sequence
from importlib.machinery import ModuleSpec
from importlib.metadata import packages_distributions
from types import ModuleType

PRODUCT = ("agents_app", "enrichment", "executions_app", "mongoclaw_project", "sandbox", "tasks", "watcher")


class Hidden:
    """Finds no module of the packages that are not to be there."""

    def __init__(self, absent: Iterable[str]) -> None:
        names = set(absent)
        owners = packages_distributions().items()
        self.tops = {
            top for top, dists in owners if {re.sub(r"[-_.]+", "-", one).lower() for one in dists} <= names
        }

    def find_spec(
        self, name: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if name.partition(".")[0] in self.tops:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)
        return None


def modules() -> Iterator[str]:
    for name in PRODUCT:
        package = importlib.import_module(name)
        yield from (found.name for found in pkgutil.walk_packages(package.__path__, f"{name}."))


def main(absent: Sequence[str]) -> None:
    hidden = Hidden(absent)
    sys.meta_path.insert(0, hidden)
    import django

    django.setup()
    for name in modules():
        try:
            importlib.import_module(name)
        except ModuleNotFoundError as error:
            if (error.name or "").partition(".")[0] not in hidden.tops:
                raise
            sys.stdout.write(f"{name}\n")


if __name__ == "__main__":
    main(sys.argv[1:])
