"""Bytes and words: what every room needs and none owns."""
