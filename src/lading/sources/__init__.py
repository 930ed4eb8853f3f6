"""The kinds of arrival, a folder each; they do not see each other."""
