"""Decodes an audio file and measures it."""

__version__ = "0.1.0"
