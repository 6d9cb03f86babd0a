"""Pure statistics: frames and arrays in, frozen results out. No files, clocks, environment or hidden seeds."""
