"""Tests that need nothing but files."""
