"""The command line: one thin module a verb: parse, call one workflow function, print. Torch is imported inside."""
