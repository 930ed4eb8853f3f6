"""Sorting photos into folders by date and place: planned first, never over anything, undoable."""
