"""Administrative open data: from the files that municipalities publish to features."""
