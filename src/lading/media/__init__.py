"""Looking inside picture and video files: what they are, say and show; knows no database.

`derive.derive` does all of it in one pass over one file, here or in another process.
"""
