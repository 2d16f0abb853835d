"""The methods, a file for each paper."""
