"""One ordinary test, for what the plugin costs where nobody wants it."""


def test_nothing() -> None:
    """Take no time."""
