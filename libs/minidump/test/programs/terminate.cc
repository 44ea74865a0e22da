// Throws what nobody catches.
#include <stdexcept>

static __attribute__((noinline)) int thrower(int depth) {
  if (depth == 0) throw std::runtime_error("nobody catches this");
  return thrower(depth - 1) + 1;
}

int main() { return thrower(3); }
