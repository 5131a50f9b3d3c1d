"""Derived figures as pure functions, each with its source."""
