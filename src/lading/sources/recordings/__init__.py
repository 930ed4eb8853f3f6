"""Recordings: what a lab's rigs record, uploaded, registered, reconstructed, downloaded (D, E)."""
