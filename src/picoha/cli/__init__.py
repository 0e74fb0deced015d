"""The command `picoha`: options in, text out. It decides nothing and talks to AWS through adapters only."""
