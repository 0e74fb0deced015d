"""The product's only boto3: what looks, what changes, what remembers. Nothing is decided here."""
