"""Values without I/O that every other shelf may use: errors, reasons, stopping, progress, steps."""
