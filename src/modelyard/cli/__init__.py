"""The command line: words in, words or JSON out. It decides nothing."""
