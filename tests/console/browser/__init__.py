"""The console's pages in a real browser: what opens them, what looks at them, and the looks."""
