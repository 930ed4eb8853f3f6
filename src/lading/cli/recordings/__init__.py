"""The commands `lading recordings …`, a module for each purpose."""
