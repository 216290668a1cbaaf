"""Values of a configuration that nobody is to read: they reach the trial, and no terminal, file or database."""

from __future__ import annotations


class Secret:
    """A text that shows its name instead of itself. The method is pydantic's (``SecretStr.get_secret_value``).

    Secrets are equal if their texts are; what tells a trial from others is the name, so that a changed password is the same trial.
    """

    __slots__ = ("_value", "name")

    def __init__(self, value: str, name: str) -> None:
        self.name = name
        self._value = value

    def get_secret_value(self) -> str:
        """Return the text itself."""
        return self._value

    def __repr__(self) -> str:
        return f"secret(name={self.name!r})"

    def __eq__(self, other: object) -> bool:
        return self._value == other._value if isinstance(other, Secret) else NotImplemented

    def __hash__(self) -> int:
        return hash((Secret, self._value))


def secret(value: str, name: str = "secret") -> Secret:
    """Return a value for a configuration that is neither printed nor stored; ``config["token"].get_secret_value()`` reads it.

    It travels to the workers, and nowhere else. What the trial itself prints is the trial's, and a literal in your source is in the source,
    which tracebacks show: read it from the environment.

    Args:
        value: the text.
        name: what is shown and stored in its place, and tells trials apart: give each secret of an axis its own. Default ``"secret"``.

    Raises:
        TypeError: `value` or `name` is no text.
    """
    if not isinstance(value, str) or not isinstance(name, str):
        raise TypeError("secret(value, name) takes two texts")
    return Secret(value, name)
