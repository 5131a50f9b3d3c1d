"""Alerts: rules evaluated as data arrives, and what is said of them to the broker and to webhooks."""
