"""Tests, sorted by what they need: files alone, servers, burn programs."""
