"""The archive source: streaming copies and sidecars of a digitisation archive in a bucket (B1-B11)."""
