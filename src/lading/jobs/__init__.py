"""The queue and its workers: claims, leases, dependencies, background duties. Knows no media."""
