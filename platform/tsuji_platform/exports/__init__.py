"""Exports: history as files that other programs read."""
