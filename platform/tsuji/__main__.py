"""`python -m tsuji` is the command `tsuji`."""

from tsuji.cli import main

main()
