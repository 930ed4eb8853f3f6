"""The live stream: what changed on a page, as it changes, and events for scripts."""
