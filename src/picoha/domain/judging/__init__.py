"""What the rules ask of an observation: is the holder alive, is a gate open, would an invariant break."""
