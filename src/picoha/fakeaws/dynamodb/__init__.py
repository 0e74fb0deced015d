"""DynamoDB in memory: the operations and expressions that picoha sends, held equal to moto by a test."""
