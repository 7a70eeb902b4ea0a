"""Names everything that can go wrong for a reason that the user can mend.

Each error carries ONE sentence that says what to do, and the exit status of the command line that ends with it.
"""


class TextEditError(Exception):
    """Any error of this package that is the input's fault and not the program's; `exit_code` 2 means bad input."""

    exit_code = 2


class ImageError(TextEditError):
    """The picture cannot be opened, or is no picture that can be edited."""


class PromptError(TextEditError):
    """The prompt does not say what to change into what."""


class UnknownWordError(PromptError):
    """The prompt uses words that the loaded models have never seen."""


class MaskError(TextEditError):
    """The mask is empty, of another size than the picture, or no mask."""


class SettingsError(TextEditError):
    """A setting is not a number, out of its range, or of no known name."""


class DeclinedError(SettingsError):
    """Somebody was asked whether to download, and said no; `exit_code` 1 means that nothing was wrong."""

    exit_code = 1


class WeightsError(TextEditError):
    """The weights are not there, damaged, or of another kind than asked for."""


class NotFoundError(TextEditError):
    """No such object is in the picture; `exit_code` 3 means that the picture, not the input's form, is the reason."""

    exit_code = 3


class AmbiguousError(TextEditError):
    """Several objects fit the words equally well."""

    exit_code = 3


class OutputError(TextEditError):
    """The result cannot be written where it should go."""
