"""Measurements of layers around a step; nothing but sums is kept of a tensor, on its own device."""
