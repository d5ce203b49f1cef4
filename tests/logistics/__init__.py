"""Tests of dormitory rooms and bed stays."""
