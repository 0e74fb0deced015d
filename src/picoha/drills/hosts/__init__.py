"""The hosts of a drill: the shipped agent over played scripts, files and networks."""
