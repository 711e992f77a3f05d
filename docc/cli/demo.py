"""docc demo"""

from docc.cli import options


def demo(output: options.Output = "text") -> None:
    """Watch a canary go right, and another come back, under live traffic."""
