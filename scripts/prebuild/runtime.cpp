// The part of the C++ library that the addon uses, in terms of libc: prebuilt addons depend on no libstdc++, and the
// toolchain's own, which the linker would take these from, brings 200 KB of exception handling and demangling along.
#include <cstdlib>
#include <new>

// Out of memory is the end: the addon is built without exceptions, and Node ends in the same way.
void* operator new(std::size_t bytes) {
  void* memory = std::malloc(bytes == 0 ? 1 : bytes);
  if (memory == nullptr) std::abort();
  return memory;
}

void* operator new[](std::size_t bytes) {
  return operator new(bytes);
}

void operator delete(void* memory) noexcept {
  std::free(memory);
}

void operator delete[](void* memory) noexcept {
  std::free(memory);
}

void operator delete(void* memory, std::size_t) noexcept {
  std::free(memory);
}

void operator delete[](void* memory, std::size_t) noexcept {
  std::free(memory);
}

// What libc++ calls where it would throw.
_LIBCPP_BEGIN_NAMESPACE_STD
void __libcpp_verbose_abort(const char*, ...) {
  std::abort();
}
_LIBCPP_END_NAMESPACE_STD
