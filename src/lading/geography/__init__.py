"""The world as Lading knows it without asking anyone: coasts, borders and names of countries."""
