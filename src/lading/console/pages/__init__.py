"""The pages: one file and one template each."""
