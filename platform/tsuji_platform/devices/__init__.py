"""Who may do what at the broker: rights, passwords, certificates, and the files of a broker of one's own."""
