#pragma once

#include <string_view>

#include <absl/status/status.h>

#include "server/storage/engine/kv_engine.h"

namespace etcd::testing {

// Changes one byte of the newest value of `key` behind the member's back, under checksums that are
// valid again: nothing on this machine can tell. kNotFound: there is no such key, or its value is
// empty. Not flushed.
absl::Status AlterValue(engine::KvEngine& engine, std::string_view key);

}  // namespace etcd::testing
