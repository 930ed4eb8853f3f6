"""What the commands of `lading archive` are made of: running, reporting, mailing, judging keys."""
