"""Read models: what pages and the API show, as plain values and without HTML."""
