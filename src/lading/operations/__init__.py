"""What people do to many things at once: selections, operations, acknowledgements, problems."""
