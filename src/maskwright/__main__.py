"""`python -m maskwright`, as torchrun starts it: the same as the command `maskwright`."""

from maskwright.cli.__main__ import main

if __name__ == "__main__":
    main()
