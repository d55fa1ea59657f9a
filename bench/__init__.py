"""Figures, measured on real processes: `python -m bench`."""
