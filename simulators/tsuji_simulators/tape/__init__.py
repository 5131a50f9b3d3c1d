"""What brokers carried, kept in files: message for message, with the moments of their arrival."""
