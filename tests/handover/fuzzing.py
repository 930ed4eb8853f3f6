"""How the fuzz tests of this folder draw: enough to find faults, no clock to trip over."""

from hypothesis import HealthCheck, settings

# The first draw of text builds a table that is slow on a busy machine.
fuzzed = settings(deadline=None, max_examples=50, suppress_health_check=[HealthCheck.too_slow])
