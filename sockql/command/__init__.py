"""The command line: its options, what it says about tables and errors, its pages."""
