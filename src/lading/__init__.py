"""Lading takes media in: found where it lands, checked, queued, stored, catalogued exactly once."""

__version__ = "0.1.0"
