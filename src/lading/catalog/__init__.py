"""The recordings catalog: three Delta tables on object storage, below the prefix a pointer names.

Whoever has the bucket's credentials can read and register; there is no server and no lock table.
`catalog.Catalog` is the way in.
"""
