"""What is known and what is decided, as pure values and functions: standard library only, no clock, no log."""
