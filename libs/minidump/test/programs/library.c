#define NAME(index) NAME_OF(index)
#define NAME_OF(index) crash_library_##index

int NAME(INDEX)(void) { return INDEX; }
