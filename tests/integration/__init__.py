"""Tests that need real servers and programs."""
