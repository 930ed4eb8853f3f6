"""The one flow for every kind of arrival: scan, preflight, plan, queue, import, verify."""
