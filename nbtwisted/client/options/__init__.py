"""What commands can be told, as curl is told it."""
