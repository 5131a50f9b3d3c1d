"""Simulated and recorded feeds, published as real devices would."""
