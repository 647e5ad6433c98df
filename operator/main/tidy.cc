#include "operator/main/tidy.h"

#include <cstddef>
#include <cstdint>
#include <link.h>
#include <malloc.h>
#include <string_view>
#include <sys/mman.h>
#include <unistd.h>

namespace etcd::op {
namespace {

bool IsRelocatedInPlace(const dl_phdr_info& object) {
  for (int i = 0; i < object.dlpi_phnum; ++i) {
    const auto& header = object.dlpi_phdr[i];
    if (header.p_type != PT_DYNAMIC) continue;
    const auto* entry = reinterpret_cast<const ElfW(Dyn)*>(object.dlpi_addr + header.p_vaddr);
    for (; entry->d_tag != DT_NULL; ++entry) {
      if (entry->d_tag == DT_TEXTREL) return true;
    }
  }
  return false;
}

// The segments that are never written to: what they hold stands in the file. Tables that are
// relocated and read-only afterwards belong to segments that may be written to.
int ForgetObject(dl_phdr_info* object, std::size_t, void*) {
  const bool is_kernels = std::string_view(object->dlpi_name).starts_with("linux-vdso");
  if (is_kernels || IsRelocatedInPlace(*object)) return 0;
  const auto page = static_cast<std::uintptr_t>(sysconf(_SC_PAGESIZE));
  for (int i = 0; i < object->dlpi_phnum; ++i) {
    const auto& header = object->dlpi_phdr[i];
    if (header.p_type != PT_LOAD || (header.p_flags & PF_W) != 0) continue;
    // Whole pages only: at its ends a segment may share one with its neighbour.
    const std::uintptr_t begin = (object->dlpi_addr + header.p_vaddr + page - 1) & ~(page - 1);
    const std::uintptr_t end = (object->dlpi_addr + header.p_vaddr + header.p_filesz) & ~(page - 1);
    if (begin < end) (void)madvise(reinterpret_cast<void*>(begin), end - begin, MADV_DONTNEED);
  }
  return 0;
}

}  // namespace

void GiveBackMemory() {
  malloc_trim(0);
  // Under the loader's lock: nothing is unloaded meanwhile.
  dl_iterate_phdr(ForgetObject, nullptr);
}

}  // namespace etcd::op
