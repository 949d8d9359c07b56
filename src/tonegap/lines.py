"""Words of others as one line of a terminal. Imports nothing, for every command prints."""


def one_line(text: str) -> str:
    r"""A text as one line that any terminal and any file takes: what cannot be printed is escaped, as `\x1b`.

    That is every control character, line break, direction mark and lone surrogate; escaped again, it stays the same.
    """
    return "".join(c if c.isprintable() else ascii(c)[1:-1] for c in text)
