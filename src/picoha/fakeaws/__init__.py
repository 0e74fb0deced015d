"""AWS in memory, in virtual time, behind real boto3 clients. It imports nothing of picoha but itself."""
