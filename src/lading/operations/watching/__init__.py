"""Watching sources: a scan is asked for soon after something changed, not by the clock alone."""
