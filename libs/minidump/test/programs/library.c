int crash_library(void) { return 1; }
