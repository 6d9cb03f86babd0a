"""Pure statistics: frames and arrays in, frozen results out. No files, clocks or hidden seeds."""
