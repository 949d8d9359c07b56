"""tonegap measures how much worse skin-lesion classifiers are on some skin tones, and what closes it."""

__version__ = "0.1.0"
