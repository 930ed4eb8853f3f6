"""The console's process: health, readiness and status over HTTP. It never imports media (A8)."""
