"""The version of Lading."""

__version__ = "0.1.0"
