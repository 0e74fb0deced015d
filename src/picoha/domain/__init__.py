"""What is known and what is decided: pure values and functions, without SDK, clock, environment or log."""
