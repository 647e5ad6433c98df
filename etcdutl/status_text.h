#pragma once

#include <string>

#include "etcdutl/snapshot_status.h"

namespace etcd::etcdutl {

// The output of `snapshot status` in etcd's formats, with the last newline.
std::string SimpleText(const SnapshotStatus& status);
std::string JsonText(const SnapshotStatus& status);
std::string FieldsText(const SnapshotStatus& status);
std::string TableText(const SnapshotStatus& status);

// A size as etcd's tools print it: "20 kB", "1.1 GB"; powers of 1000, three figures at most.
std::string HumanBytes(std::uint64_t bytes);

}  // namespace etcd::etcdutl
