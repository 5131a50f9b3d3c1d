"""The words on the screen, divided by where they stand; `texts.py` puts them together."""
