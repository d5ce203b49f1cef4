"""Tests of awards, sanctions and appeals."""
