"""What must be true of each table, as data, each rule with its clinical reason."""
