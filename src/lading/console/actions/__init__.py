"""What changes something: pages and the API call the same functions, which first ask who may."""
