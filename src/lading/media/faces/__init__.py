"""Finds faces in pictures, measures them, and tells whose they are; knows no database."""
