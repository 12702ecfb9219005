"""The one exception that a command turns into a single line on standard error."""


class UserError(ValueError):
    """A mistake of the user's that the message names together with its remedy.

    Commands print the message as one line and leave with exit code 2; library callers catch it as a `ValueError`.
    """
