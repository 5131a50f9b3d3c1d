"""What makes a whole file unusable."""


class DatasetError(ValueError):
    """No dataset can be made of this; the message quotes what was found and says what to do."""
