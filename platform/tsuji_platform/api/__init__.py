"""The data API: one router per noun over one store."""
