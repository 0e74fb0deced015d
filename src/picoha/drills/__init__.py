"""A cell of picoha staged on `fakeaws`, played and judged. Nothing that runs in AWS or on a host imports it."""
