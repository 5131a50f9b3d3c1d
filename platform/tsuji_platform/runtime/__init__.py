"""Finds or fetches the programs that Tsuji stands on and keeps processes alive."""
