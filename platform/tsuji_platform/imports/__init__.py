"""Files of observations: read in pieces, judged by the contract's rules, brought in with original times."""
