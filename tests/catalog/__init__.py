"""The recordings catalog: rules, tables, pointer, and many who write at once."""
