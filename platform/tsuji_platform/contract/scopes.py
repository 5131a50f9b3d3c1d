"""What keys of the data API open."""

from enum import StrEnum


class Scope(StrEnum):
    """What a key opens beyond public reading."""

    COUNTS = "counts"
    """small counts that public answers suppress"""
    METRICS = "metrics"
    """figures of how the hub's processes fare, for Prometheus"""
    REJECTED = "rejected"
    """rejected messages with topic and payload"""
    WRITE = "write"
    """whatever changes something"""
