"""The program as its users meet it: a process with a terminal or a pipe, and exit statuses."""
