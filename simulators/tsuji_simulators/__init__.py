"""Feeds for developers and demonstrations: a simulated fleet and recordings of real ones, over MQTT."""
