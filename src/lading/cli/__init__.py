"""The command line: one file per command under `commands`, and what all of them share."""
