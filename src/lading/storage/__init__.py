"""Bytes: stores behind one port, transfer with one read, paths that stay in their root."""
