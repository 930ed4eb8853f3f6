"""The showing: a small hand-over tree of real photos and a real film, and its way through Lading.

The pictures are drawn and the film is filmed here, so that nothing has to be downloaded and
everything may be given away. They are encoded by the same encoders that real media come from.
"""
