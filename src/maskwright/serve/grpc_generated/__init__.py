"""Messages and stubs made from proto/maskwright/v1/maskwright.proto by `make proto`. Not to be edited."""
