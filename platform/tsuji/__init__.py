"""Tsuji: command line and wiring, the only place that knows every part."""

__version__ = "0.1.0"
