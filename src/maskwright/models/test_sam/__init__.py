"""test-sam: a network of SAM's shape that runs in milliseconds, with fixed random weights. Its masks mean nothing."""
