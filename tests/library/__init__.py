"""Tests of the library shelf."""
