"""What Lambda calls: doorbells and requests in, replies out. Nothing is decided here."""
