"""Where picoha meets other people's software; today that is AWS alone."""
