"""The agent on each host. It runs on the product's machines: neither pydantic nor powertools."""
