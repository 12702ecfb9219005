"""What the commands do, a file for each group; `cli` reads the arguments and calls."""
