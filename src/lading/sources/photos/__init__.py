"""The photos source: folders of pictures and videos on a disk, kept where they are (C1-C11)."""
