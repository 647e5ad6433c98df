#pragma once

#include "server/metrics/registry.h"

namespace etcd::metrics {

// process_* and os_fd_* of this process, read from /proc at every scrape. `registry` outlives the
// process's scrapes.
void AddProcessMetrics(Registry& registry);

// Open file descriptors and their limit.
std::uint64_t OpenDescriptors();
std::uint64_t DescriptorLimit();

}  // namespace etcd::metrics
