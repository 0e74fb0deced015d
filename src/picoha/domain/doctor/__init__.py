"""The checks of `doctor` and `leave` on typed facts about an account. Nothing is looked up here."""
