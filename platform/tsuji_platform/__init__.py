"""The hub itself: contract, store, analytics, data API and runtime."""
