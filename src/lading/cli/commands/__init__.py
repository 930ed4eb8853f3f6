"""One file per command; `lading.cli.main` knows which is which."""
