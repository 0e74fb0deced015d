"""The loop (observe, decide, remember, act) and its ports. No SDK, no framework, no clock of its own."""
