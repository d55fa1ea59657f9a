"""`python -m docs.generate`: write the reference pages, and the figures of the README, anew."""

from __future__ import annotations

import os
import sys


def main() -> int:
    """Write the pages; the exit code is 0."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "mongoclaw_project.settings")
    import django

    django.setup()
    from docs.generate.figures import ROOT, newest, with_figures
    from docs.generate.pages import PAGES

    for name, reference in PAGES.items():
        (ROOT / "docs/reference" / name).write_text(reference(), encoding="utf-8")
    readme = ROOT / "README.md"
    text = readme.read_text(encoding="utf-8")
    readme.write_text(with_figures(text, newest()), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
