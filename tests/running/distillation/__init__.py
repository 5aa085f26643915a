"""Tests of networks that learn the answers of a teacher."""
