"""Measurements: `make bench`. Figures of one run on one machine; compare the ratios."""
