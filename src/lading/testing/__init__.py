"""What tests of Lading and of its plug-ins are made with: real servers, suites, simulators, faults.

Nothing outside of tests and benchmarks imports this.
"""
