"""Define the one exception for what a user can correct."""


class InputError(ValueError):
    """Raised for input that a user can correct.

    The message is one line that names what came, what was expected and the fix; the command line prints it
    without a traceback and exits with code 2.
    """
