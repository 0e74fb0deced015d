"""A cell staged on `fakeaws`, played and judged. What runs in AWS or on a host never imports it."""
