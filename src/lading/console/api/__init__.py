"""The JSON interface under /api/v1: a file per resource, on the pages' readers and actions."""
