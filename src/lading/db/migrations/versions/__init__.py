"""Schema changes in order. A file is never edited after its release: databases have run it."""
